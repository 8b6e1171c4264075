// Sources that need no network: systemd's credentials, the firmware's files, and disks with a label.
import { readFile, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { KeelError } from "../../base/errors.ts";
import { openStackMetadata } from "./openstack.ts";
import { maxUserData } from "./source.ts";
import type { Gathered, Source } from "./source.ts";

/** Also how SMBIOS strings of type 11 and fw_cfg's opt/io.systemd.credentials arrive: systemd(1). */
const credentialName = "keelson.cloud-config";

export const credential: Source = {
  kind: "credential",
  isLocal: true,
  isThere: ({ credentials }) => credentials !== undefined && existsSync(join(credentials, credentialName)),
  async read({ facts }) {
    const userData = await readUpTo(join(facts.credentials ?? "", credentialName), maxUserData);
    return userData === undefined ? undefined : plain("credential", credentialName, userData);
  },
};

/** Keelson's own name, and the one under which Ignition's configuration is passed. */
export const firmwareNames = ["opt/org.keelson/cloud-config", "opt/com.coreos/config"] as const;

export const firmwareFile: Source = {
  kind: "fw-cfg",
  isLocal: true,
  isThere: ({ firmwareFiles }) => firmwareNames.some((name) => existsSync(join(firmwareFiles, name, "raw"))),
  async read({ facts }) {
    for (const name of firmwareNames) {
      const userData = await readUpTo(join(facts.firmwareFiles, name, "raw"), maxUserData);
      if (userData !== undefined) return plain("fw-cfg", name, userData);
    }
    return undefined;
  },
};

/** cloud-init's NoCloud: user-data, meta-data and network-config on a disk called cidata. */
export const noCloud: Source = {
  kind: "nocloud",
  isLocal: true,
  isThere: ({ diskLabels }) => labels.nocloud.some((label) => existsSync(join(diskLabels, label))),
  async read({ openDisk }) {
    await using disk = await openDisk(labels.nocloud);
    if (disk === undefined) return undefined;
    const userData = await disk.read("user-data", maxUserData);
    const metadata = readSimpleYaml(await disk.read("meta-data", 64 << 10));
    const network = await disk.read("network-config", 64 << 10);
    if (userData === undefined && metadata.size === 0) return undefined;
    const hostname = metadata.get("local-hostname") ?? metadata.get("hostname");
    const instance = metadata.get("instance-id");
    return {
      kind: "nocloud",
      where: disk.device,
      keys: [],
      addresses: {},
      ...(userData !== undefined && { userData }),
      ...(instance !== undefined && { instance }),
      ...(hostname !== undefined && { hostname }),
      ...(network !== undefined && { networkConfig: network.toString() }),
    };
  },
};

/** OpenStack's config drive, version 2. */
export const configDrive: Source = {
  kind: "config-drive",
  isLocal: true,
  isThere: ({ diskLabels }) => labels.configDrive.some((label) => existsSync(join(diskLabels, label))),
  async read({ openDisk }) {
    await using disk = await openDisk(labels.configDrive);
    if (disk === undefined) return undefined;
    const metadata = await disk.read("openstack/latest/meta_data.json", 1 << 20);
    const userData = await disk.read("openstack/latest/user_data", maxUserData);
    if (metadata === undefined && userData === undefined) return undefined;
    return {
      kind: "config-drive",
      where: disk.device,
      ...openStackMetadata(metadata?.toString() ?? "{}"),
      addresses: {},
      ...(userData !== undefined && { userData }),
    };
  },
};

/** What came with the disk or the medium: an export or an installation has put it there. */
export const seed: Source = {
  kind: "seed",
  isLocal: true,
  isThere: ({ seeds = [] }) => seeds.some((path) => existsSync(path)),
  async read({ facts }) {
    for (const path of facts.seeds ?? []) {
      const userData = await readUpTo(path, maxUserData);
      if (userData !== undefined) return plain("seed", path, userData);
    }
    return undefined;
  },
};

export const labels = {
  nocloud: ["cidata", "CIDATA"],
  configDrive: ["config-2", "CONFIG-2"],
} as const;

function plain(kind: "credential" | "fw-cfg" | "seed", where: string, userData: Buffer): Gathered {
  return { kind, where, userData, keys: [], addresses: {} };
}

/** `name: value` lines of meta-data; what is no text is left out. Garbage has none. */
export function readSimpleYaml(bytes: Buffer | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (bytes === undefined) return found;
  try {
    const document = parseDocument(bytes.toString(), {
      schema: "failsafe",
      logLevel: "silent",
      uniqueKeys: false,
    });
    if (document.errors.length > 0) return found;
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    if (typeof value !== "object" || value === null) return found;
    for (const [key, inner] of Object.entries(value))
      if (typeof inner === "string" && inner.length <= 1024) found.set(key, inner.trim());
  } catch {
    // As if there were none: the user data is what counts.
  }
  return found;
}

async function readUpTo(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    if ((await stat(path)).size > maxBytes)
      throw new KeelError("KEEL-842", `${path} is larger than ${maxBytes} bytes`);
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

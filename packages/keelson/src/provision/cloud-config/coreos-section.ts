// `coreos:`: what has a counterpart is mapped to it, and for the rest a warning says what to do instead.
import type { RebootStrategy, UnitConfig, UpdateConfig } from "../machine-config.ts";
import type { Field } from "../reading/field.ts";
import { parseWindow, readSource } from "./keelson-section.ts";
import { readUnits } from "./units.ts";

export interface CoreOS {
  /** fleet's. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly update?: UpdateConfig;
  readonly units: readonly UnitConfig[];
}

/** Sections without a counterpart, whatever is in them. */
const without: Readonly<Record<"etcd" | "etcd2" | "flannel" | "oem", string>> = {
  etcd: "The store comes with keeld: use `endpoints`, `discovery` or `roles` in the section `keelson`.",
  etcd2: "The store comes with keeld: use `endpoints`, `discovery` or `roles` in the section `keelson`.",
  flannel: "There is no overlay network: services are reached at their machines' published ports.",
  oem: "Images are made per kind of machine: remove the section.",
};

export function readCoreOS(section: Field): CoreOS {
  const fields = section.fields(["update", "units", "fleet", "locksmith", "etcd", "etcd2", "flannel", "oem"]);
  for (const [name, remedy] of Object.entries(without))
    for (const [, value] of fields[name as keyof typeof without]?.entries() ?? [])
      value.warn("has no counterpart here and is not applied", remedy);
  const metadata = fields.fleet === undefined ? undefined : readFleet(fields.fleet);
  const update = fields.update === undefined ? undefined : readUpdate(fields.update);
  const window = fields.locksmith === undefined ? undefined : readLocksmith(fields.locksmith);
  return {
    units: fields.units === undefined ? [] : readUnits(fields.units),
    ...(metadata !== undefined && { metadata }),
    ...((update !== undefined || window !== undefined) && {
      update: { ...update, ...(window !== undefined && { window }) },
    }),
  };
}

/** `a=b,c=d` is the machine's metadata; how fleet itself ran is no matter here. */
function readFleet(section: Field): Record<string, string> | undefined {
  let metadata: Record<string, string> | undefined;
  for (const [name, value] of section.entries()) {
    if (name !== "metadata") {
      value.warn(
        "has no counterpart here and is not applied",
        "keeld is fleet here: see the section `keelson` for its settings.",
      );
      continue;
    }
    const pairs = value.texts(true).map((pair) => /^\s*([A-Za-z0-9_][\w.-]{0,127})=(.{0,1024})$/.exec(pair));
    if (pairs.some((pair) => pair === null))
      value.error("must be NAME=VALUE pairs with commas", "Write region=us-west,disk=ssd.");
    metadata = Object.fromEntries(
      pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? "", (pair[2] ?? "").trim()] as const])),
    );
  }
  return metadata;
}

const strategies: Readonly<Record<string, RebootStrategy>> = {
  "etcd-lock": "cluster",
  "best-effort": "cluster",
  reboot: "immediate",
  off: "off",
  // YAML of CoreOS's time reads a bare off as false.
  false: "off",
};

function readUpdate(section: Field): UpdateConfig {
  const fields = section.fields(["reboot_strategy", "group", "server"]);
  const word = fields.reboot_strategy?.text()?.toLowerCase();
  const reboot = word === undefined ? undefined : strategies[word];
  if (word !== undefined && reboot === undefined)
    fields.reboot_strategy?.error("is not known", "One of: etcd-lock, best-effort, reboot, off.");
  const group = fields.group?.matching(
    /^[a-z0-9][a-z0-9._{}-]{0,62}$/i,
    "a short name",
    "Take a name like stable.",
  );
  // CoreOS's own public server answers for another system.
  const isCoreOS = fields.server?.text()?.includes("core-os.net") === true;
  if (isCoreOS)
    fields.server?.warn(
      "is the server of another system and is not used",
      "Name a server of Keelson's releases.",
    );
  const source = isCoreOS ? undefined : readSource(fields.server);
  return {
    ...(reboot !== undefined && { reboot }),
    ...(group !== undefined && { group }),
    ...(source !== undefined && { source }),
  };
}

/** `window_start: Sat 03:00`, `window_length: 2h`. */
function readLocksmith(section: Field): UpdateConfig["window"] {
  let start: string | undefined;
  let length: string | undefined;
  for (const [written, value] of section.entries()) {
    const name = written.replaceAll("-", "_");
    if (name === "window_start") start = value.text();
    else if (name === "window_length") length = value.text();
    else
      value.warn(
        "has no counterpart here and is not applied",
        "Machines of a cluster restart in turn: see `update` in the section `keelson`.",
      );
  }
  if (start === undefined && length === undefined) return undefined;
  const window = parseWindow(`${start ?? ""} ${(length ?? "").replace(/^(\d+h)0m(?:0s)?$/, "$1")}`);
  return (
    window ??
    section.error(
      "window_start and window_length must be a time and a length",
      "Write window_start: Sat 03:00 and window_length: 2h.",
    )
  );
}

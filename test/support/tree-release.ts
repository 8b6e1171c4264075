// Releases for machines made of folders: signed as real ones, with a root image that holds what is Keelson's own, to
// be laid over the local machines' Debian tree. Made in seconds, from the program of this checkout.
import { createHash, generateKeyPairSync, randomUUID } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { cp, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { silentProgress } from "../../packages/keelson/src/local/progress.ts";
import { prepareMachineTree } from "../../packages/keelson/src/local/tree/machine-tree.ts";
import { runTool, toolsTree } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { releaseFileName } from "../../packages/keelson/src/model/os-image.ts";
import { publicKeyOf, signEnvelope, writeEnvelope } from "../../packages/keelson/src/releases/envelope.ts";
import { releaseEnvelope } from "../../packages/keelson/src/releases/release.ts";
import { rootEnvelope } from "../../packages/keelson/src/releases/root.ts";
import { makeKernel } from "../../packages/keelson/src/updater/simulated-disk/simulated-kernel.ts";

const repository = resolve(import.meta.dirname, "../..");
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const day = 86_400;

/** What of os/image/root a machine made of folders has: the gate, and the record of boots. */
const imageFiles = [
  ...["boot-record", "boot-trial", "shutdown-record", "trial-end", "trial-watch"].map(
    (name) => `usr/lib/keelson/${name}`,
  ),
  "usr/lib/systemd/system-generators/keelson-trial-generator",
  ...["boot-record.service", "gate.service", "gate.timer", "shutdown.service", "trial-watch.service"].map(
    (name) => `usr/lib/systemd/system/keelson-${name}`,
  ),
];
const wanted = [
  ["sysinit.target.wants", "keelson-boot-record.service"],
  ["multi-user.target.wants", "keelson-shutdown.service"],
] as const;

/** Changes the files of a release before its image is made. */
export type Change = (files: string) => Promise<void>;

/** A publisher with a folder of releases. */
export class Publisher {
  /** Where its releases lie. */
  readonly folder: string;
  readonly #key: KeyObject = generateKeyPairSync("ed25519").privateKey;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes a release; resolves with the path of its manifest. */
  async publish(version: string, change?: Change): Promise<string> {
    const work = join(this.folder, `work-${version}`);
    const files = join(work, "files");
    await mkdir(work, { recursive: true });
    try {
      await this.#layOut(files);
      await change?.(files);
      return await this.#write(version, work);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  async #layOut(files: string): Promise<void> {
    const { layers } = await prepareMachineTree({ repository, progress: silentProgress });
    const [layer = "", debian = ""] = layers;
    await runCommand(["cp", "-a", layer, files]);
    const own = join(repository, "os/image/root");
    for (const name of imageFiles) await cp(join(own, name), join(files, name));
    for (const [folder, unit] of wanted) {
      await mkdir(join(files, "usr/lib/systemd/system", folder), { recursive: true });
      await symlink(`../${unit}`, join(files, "usr/lib/systemd/system", folder, unit));
    }
    const release = await readFile(join(debian, "usr/lib/os-release"), "utf8");
    await writeFile(join(files, "usr/lib/os-release"), `${release}KEELSON_EPOCH=1\n`);
    await mkdir(join(files, "usr/lib/keelson/trust"), { recursive: true });
    await writeFile(join(files, "usr/lib/keelson/trust/root.json"), this.#root());
  }

  /** One key has all the roles. */
  #root(): Uint8Array {
    const own = publicKeyOf(this.#key);
    const role = { keys: [own.id], threshold: 1 };
    const now = Math.floor(Date.now() / 1000);
    const envelope = rootEnvelope({
      schema: 1,
      products: ["keelson-os"],
      version: 1,
      purpose: "development",
      created: now - day,
      expires: now + 30 * day,
      keys: [{ ...own, name: "test" }],
      roles: { root: role, release: role, channel: role },
      generation: 0,
      epoch: { least: 0, most: 10 },
    });
    return writeEnvelope(signEnvelope(envelope, this.#key));
  }

  async #write(version: string, work: string): Promise<string> {
    const tools = await toolsTree({ repository });
    const name = { version, variant: "vm", architecture } as const;
    const uuid = randomUUID();
    const image = join(work, "root.img");
    const argv = ["mkfs.erofs", "--quiet", "-T0", `-U${uuid}`, image, join(work, "files")];
    await runTool(tools, argv, { binds: [work] });
    const unpacked = await fileFacts(image);
    const packed = join(this.folder, releaseFileName(name, "root.zst"));
    const params = { [constants.ZSTD_c_compressionLevel]: 1 };
    await pipeline(createReadStream(image), createZstdCompress({ params }), createWriteStream(packed));
    // Nothing verifies blocks here: the root hash is a hash of the image.
    const kernel = makeKernel({ version, uuid, sha256: unpacked.sha256, bytes: unpacked.size });
    await writeFile(join(this.folder, releaseFileName(name, "efi")), kernel);
    const now = Math.floor(Date.now() / 1000);
    const envelope = releaseEnvelope({
      schema: 1,
      product: "keelson-os",
      ...name,
      epoch: 1,
      created: now - 60,
      expires: now + day,
      root: {
        name: releaseFileName(name, "root.zst"),
        ...(await fileFacts(packed)),
        unpacked,
        verity: unpacked.sha256,
        uuid,
      },
      kernel: {
        name: releaseFileName(name, "efi"),
        size: kernel.byteLength,
        sha256: createHash("sha256").update(kernel).digest("hex"),
      },
    });
    const manifest = join(this.folder, releaseFileName(name, "manifest.json"));
    await writeFile(manifest, writeEnvelope(signEnvelope(envelope, this.#key)));
    return manifest;
  }
}

async function fileFacts(path: string): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return { size: (await stat(path)).size, sha256: hash.digest("hex") };
}

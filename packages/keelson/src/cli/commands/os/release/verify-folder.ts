import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describeError, KeelError } from "../../../../base/errors.ts";
import { formatBytes } from "../../../../local/progress.ts";
import { checkFile } from "../../../../releases/file-check.ts";
import { releaseFiles } from "../../../../releases/manifest.ts";
import type { ReleaseFile, ReleaseManifest } from "../../../../releases/manifest.ts";
import { accepted } from "../../../../releases/refusal.ts";
import { verifyManifest } from "../../../../releases/release.ts";
import type { Invocation, Register } from "../../../invocation.ts";
import { nowOf, readBytes, readTrust, signersText } from "./document-file.ts";

interface VerifyOptions {
  readonly trust?: string;
}

interface VerifiedRelease extends Pick<ReleaseManifest, "version" | "variant" | "architecture" | "epoch"> {
  readonly manifest: string;
  readonly sha256: string;
  readonly signers: readonly string[];
  readonly files: number;
  /** Bytes of all of them. */
  readonly size: number;
}

const suffix = ".manifest.json";

export const registerVerifyFolder: Register = (release, act) => {
  const verify = release
    .command("verify")
    .argument("<folder>", "where releases lie: every manifest in it is checked, with all of its files")
    .option("--trust <file>", "a root; those that follow it are taken from its folder (this machine’s own)")
    .description("Check signatures, and every file’s size and hash.");
  act<VerifyOptions>(verify, async (keel, [word = ""], options) => {
    const folder = resolve(keel.terminal.cwd, word);
    const trust = await readTrust(keel, options.trust);
    const names = (await list(folder)).filter((name) => name.endsWith(suffix));
    if (names.length === 0) throw new KeelError("KEEL-104", `${folder} holds no ${suffix.slice(1)}`);
    const items: VerifiedRelease[] = [];
    for (const name of names) {
      const bytes = await readBytes(join(folder, name));
      const { manifest, signers, sha256 } = accepted(verifyManifest(bytes, { trust, now: nowOf(keel) }));
      const files = releaseFiles(manifest);
      for (const file of files) await checkOne(keel, folder, file);
      const size = files.reduce((sum, file) => sum + file.size, 0);
      const { version, variant, architecture, epoch } = manifest;
      items.push({
        manifest: name,
        version,
        variant,
        architecture,
        epoch,
        sha256,
        signers,
        files: files.length,
        size,
      });
    }
    keel.output.list({
      name: "releases",
      type: "release",
      items: items.map((item) => ({ ...item })),
      more: { root: trust.version, purpose: trust.purpose },
      text: () => {
        const note = trust.purpose === "development" ? " (development keys: nobody guards them)" : "";
        const lines = items.map(({ version, variant, architecture, signers, files, size }) => {
          const what = `${version} ${variant} ${architecture}`;
          return `${what}: ${files} files, ${formatBytes(size)}, as signed by ${signersText(signers)}\n`;
        });
        return `${lines.join("")}root ${trust.version}${note}\n`;
      },
    });
  });
};

/** Reads one file of the folder. Throws KEEL-828 and 836. */
export async function checkOne(
  keel: Invocation,
  folder: string,
  file: Pick<ReleaseFile, "name" | "size" | "sha256">,
): Promise<void> {
  const check = checkFile(file);
  try {
    for await (const chunk of createReadStream(join(folder, file.name), { signal: keel.signal }))
      check.add(chunk);
  } catch (cause) {
    if (cause instanceof KeelError || keel.signal.aborted) throw cause;
    throw new KeelError("KEEL-828", `${file.name} cannot be read: ${describeError(cause)}`, { cause });
  }
  check.finish();
}

async function list(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (cause) {
    throw new KeelError("KEEL-104", `${folder} cannot be read: ${describeError(cause)}`, { cause });
  }
}

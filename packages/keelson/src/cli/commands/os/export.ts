import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import { exportFormats, formatFacts } from "../../../image/export/formats.ts";
import type { ExportFormat } from "../../../image/export/formats.ts";
import { formatBytes } from "../../../local/progress.ts";
import { maxUserDataBytes, readUserData } from "../../../provision/user-data.ts";
import type { Register } from "../../invocation.ts";
import { readSigner } from "./release/secure-boot-file.ts";
import type { SignerOptions } from "./release/secure-boot-file.ts";
import { repositoryFolder } from "../../local-cluster/example.ts";

interface Options extends SignerOptions {
  readonly format: ExportFormat;
  readonly input: string;
  readonly to?: string;
  readonly cloudConfig?: string;
  readonly installTo?: string;
  readonly force?: boolean;
}

export const registerExport: Register = (group, act) => {
  const list = exportFormats.map((name) => `${name} (${formatFacts[name].what})`).join(", ");
  const command = group
    .command("export")
    .addOption(
      new Option("--format <name>", `the form: ${list}`).choices(exportFormats).makeOptionMandatory(),
    )
    .requiredOption("--input <build>", "a build’s folder, or its raw disk")
    .option("--to <path>", "the file or folder to be made, or the folder it goes to (here)")
    .option("--cloud-config <file>", "a first-boot configuration that goes along")
    .option(
      "--install-to <disk>",
      "iso, pxe: install to this disk without asking, auto for the only empty one",
    )
    .option("--sign-key <file>", "iso, pxe: the key of Secure Boot for their kernel image")
    .option("--sign-certificate <file>", "its certificate")
    .option("--sign-passphrase-file <file>", "the passphrase of an encrypted key (else asked for)")
    .option("--force", "overwrite what is there")
    .description("Turn a build into what hypervisors, clouds and bare machines take.");
  act<Options>(command, async (keel, _args, options) => {
    const repository = repositoryFolder();
    if (repository === undefined)
      throw new KeelError("KEEL-104", "exports are made in a checkout of Keelson");
    const isLive = options.format === "iso" || options.format === "pxe";
    const { installTo, signKey } = options;
    if (!isLive && (installTo ?? signKey) !== undefined)
      throw new KeelError(
        "KEEL-104",
        `--install-to and --sign-key are for iso and pxe, not ${options.format}`,
      );
    const signing = await readSigner(keel, options);
    if (installTo !== undefined && !/^(auto|\/dev\/[\w./:-]{1,200})$/.test(installTo))
      throw new KeelError("KEEL-104", `--install-to ${installTo}: neither a device nor auto`);
    const path = (word: string): string => resolve(keel.terminal.cwd, word);
    const { exportImage } = await import("../../../image/export/export-image.ts");
    const result = await exportImage({
      repository,
      format: options.format,
      progress: keel.progress,
      signal: keel.signal,
      input: path(options.input),
      output: path(options.to ?? "."),
      ...(options.force === true ? { force: true } : {}),
      ...(installTo === undefined ? {} : { installTo }),
      ...(options.cloudConfig === undefined
        ? {}
        : { cloudConfig: await readConfiguration(path(options.cloudConfig)) }),
      ...(signing === undefined ? {} : { signing }),
    });
    keel.output.document({ ...result }, () => {
      const { bytes, storedBytes, diskBytes } = result;
      const stored = storedBytes < bytes * 0.9 ? `, ${formatBytes(storedBytes)} on the disk` : "";
      return `${result.path}: ${formatBytes(bytes)}${stored}; a disk of ${formatBytes(diskBytes)}\n`;
    });
  });
};

/** A first-boot configuration that machines will be able to read. KEEL-104 with the place of its first error. */
export async function readConfiguration(path: string): Promise<Uint8Array> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new KeelError("KEEL-104", `${path} cannot be read`, { cause });
  });
  try {
    const { size } = await file.stat();
    if (size > maxUserDataBytes)
      throw new KeelError("KEEL-104", `${path} has more than ${formatBytes(maxUserDataBytes)}`);
    const bytes = new Uint8Array(await file.readFile());
    const { config, findings } = readUserData(bytes);
    const error = findings.find(({ severity }) => severity === "error");
    if (config === undefined || error !== undefined)
      throw new KeelError(
        "KEEL-104",
        `${path}:${error?.line ?? 1}:${error?.column ?? 1}: ${error?.message ?? "no configuration"}`,
        { hint: `keel os validate ${path}` },
      );
    return bytes;
  } finally {
    await file.close();
  }
}

import { resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import { version as productVersion } from "../../../base/version.ts";
import { formatBytes } from "../../../local/progress.ts";
import { variants } from "../../../model/os-image.ts";
import type { Variant } from "../../../model/os-image.ts";
import type { Register } from "../../invocation.ts";
import { repositoryFolder } from "../../local-cluster/example.ts";
import { readEnrolment, readSigner } from "./release/secure-boot-file.ts";
import type { SignerOptions } from "./release/secure-boot-file.ts";

interface Options extends SignerOptions {
  readonly variant: Variant;
  readonly releaseVersion?: string;
  readonly to?: string;
  readonly enrol?: string;
  readonly quick?: boolean;
  readonly check?: boolean;
  readonly mirror?: string;
  readonly trust?: string;
}

export const registerBuild: Register = (group, act) => {
  const command = group
    .command("build")
    .addOption(
      new Option("--variant <name>", "what the machines are")
        .choices(variants)
        .default("vm" satisfies Variant),
    )
    .option("--release-version <version>", `three numbers with dots (${productVersion})`)
    .option("--to <folder>", "where the release’s files and the disk go (keelson_VERSION_VARIANT_ARCH)")
    .option("--sign-key <file>", "the key of Secure Boot, PEM")
    .option("--sign-certificate <file>", "its certificate, PEM")
    .option("--sign-passphrase-file <file>", "the passphrase of an encrypted key (else asked for)")
    .option("--enrol <folder>", "PK.auth, KEK.auth and db.auth that the boot loader offers to empty firmware")
    .option("--quick", "compress less: seconds instead of minutes, a quarter more bytes")
    .option("--check", "build everything after the packages twice and compare every byte")
    .option("--trust <file>", "the signed root of trust (else one of this host’s, for development only)")
    .option("--mirror <url>", "where Debian’s packages come from (KEEL_MIRROR)")
    .description("Build the machines’ operating system from os/: a disk, and the files of a release.");
  act<Options>(command, async (keel, _args, options) => {
    const repository = repositoryFolder();
    if (repository === undefined)
      throw new KeelError("KEEL-104", "images are built in a checkout of Keelson");
    const version = options.releaseVersion ?? productVersion;
    if (!/^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(version)) {
      throw new KeelError("KEEL-104", `--release-version ${version}: three numbers with dots, such as 1.4.0`);
    }
    const path = (word: string): string => resolve(keel.terminal.cwd, word);
    const signer = await readSigner(keel, options);
    if (signer === undefined && options.enrol !== undefined)
      throw new KeelError("KEEL-104", "--enrol is for a signed build", { hint: "--sign-key FILE" });
    const enrolment =
      signer === undefined || options.enrol === undefined
        ? undefined
        : await readEnrolment(path(options.enrol), signer);
    const mirror = options.mirror ?? keel.terminal.env.KEEL_MIRROR;
    const { developmentTrust } = await import("../../../image/development-trust.ts");
    const development =
      options.trust === undefined
        ? await developmentTrust({ now: Math.floor(keel.clock.wall() / 1000) })
        : undefined;
    if (development !== undefined)
      keel.terminal.err(`the image believes ${development.root}, which is for development only\n`);
    const build = {
      repository,
      trust: development?.root ?? path(options.trust ?? ""),
      variant: options.variant,
      version,
      progress: keel.progress,
      signal: keel.signal,
      ...(mirror === undefined || mirror === "" ? {} : { mirror }),
      ...(signer === undefined
        ? {}
        : { secureBoot: { signer, ...(enrolment === undefined ? {} : { enrolment }) } }),
    };
    const { buildImage } = await import("../../../image/build-image.ts");
    const { writeRelease } = await import("../../../image/release-files.ts");
    const image = await buildImage(build);
    if (options.check === true) {
      const { checkReproducible } = await import("../../../image/check-reproducible.ts");
      await checkReproducible(build, image);
    }
    const name = `keelson_${version}_${image.variant}_${image.architecture}`;
    const release = await writeRelease({
      repository,
      image,
      output: path(options.to ?? name),
      compression: options.quick === true ? "quick" : "small",
      progress: keel.progress,
    });
    const { root, kernel } = release.manifest;
    const download = root.size + kernel.size;
    keel.output.document(
      {
        ...release,
        root: image.root,
        kernelRelease: image.kernelRelease,
        download,
        reproducible: options.check === true,
      },
      () =>
        [
          `${release.folder}: ${formatBytes(download)} to download`,
          ` (root ${formatBytes(root.size)}, kernel ${formatBytes(kernel.size)}),`,
          ` ${formatBytes(image.root.bytes)} in a slot, kernel ${image.kernelRelease}`,
          options.check === true ? ", the same bytes twice\n" : "\n",
        ].join(""),
    );
  });
};

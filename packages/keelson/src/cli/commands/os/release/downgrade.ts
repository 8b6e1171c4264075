import { resolve } from "node:path";
import { Option } from "commander";
import { downgradeEnvelope, readDowngrade } from "../../../../releases/downgrade.ts";
import { payloadHash, writeEnvelope } from "../../../../releases/envelope.ts";
import { readManifest } from "../../../../releases/release.ts";
import type { Register } from "../../../invocation.ts";
import { nowOf, readDocument, signFile, signNew } from "./document-file.ts";
import type { SignOptions } from "./document-file.ts";
import { documentText } from "./document-text.ts";
import { many, withKeys, writeNew } from "./key-file.ts";
import type { KeyOptions } from "./key-file.ts";
import { dayCount } from "./numbers.ts";

interface DowngradeOptions extends KeyOptions {
  readonly reason?: string;
  readonly days?: string;
  readonly to?: string;
}

export const registerDowngrade: Register = (release, act) => {
  const group = release.command("downgrade").description("Leaves to go back to an older release.");

  const allow = group
    .command("allow")
    .argument("<manifest>", "of the release to go back to")
    .requiredOption("--reason <words>", "why; it is told on the machines")
    .requiredOption("--to <file>", "the file to be written")
    .addOption(new Option("--days <number>", "until it expires (14)"))
    .description("Write a leave for one release. As many release keys must sign it as for a release.");
  act<DowngradeOptions>(withKeys(allow), async (keel, [word = ""], options) => {
    const manifest = await readDocument(resolve(keel.terminal.cwd, word), "release");
    const { product, variant, architecture, version, epoch } = readManifest(manifest);
    const created = nowOf(keel);
    const plain = downgradeEnvelope({
      schema: 1,
      product,
      variant,
      architecture,
      to: { version, epoch, manifest: payloadHash(manifest) },
      reason: options.reason ?? "",
      created,
      expires: created + dayCount(options.days, 14),
    });
    const downgrade = readDowngrade(plain);
    const envelope = options.key === undefined ? plain : await signNew(keel, plain, options);
    const file = resolve(keel.terminal.cwd, options.to ?? "");
    await writeNew(file, writeEnvelope(envelope));
    keel.output.document({ path: file, downgrade }, () => documentText(envelope));
  });

  const sign = group
    .command("sign")
    .argument("<file>", "a leave")
    .addOption(many("--add <file>", "a copy that was signed elsewhere, whose signatures are added"))
    .description("Add signatures to a leave.");
  act<SignOptions>(withKeys(sign), async (keel, [word = ""], options) => {
    await signFile(keel, { file: resolve(keel.terminal.cwd, word), kind: "downgrade" }, options);
  });
};

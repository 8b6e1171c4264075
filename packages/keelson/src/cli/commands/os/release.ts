import { resolve } from "node:path";
import type { Register } from "../../invocation.ts";
import { registerChannel } from "./release/channel.ts";
import { registerDelta } from "./release/delta.ts";
import { readAnyDocument, signFile } from "./release/document-file.ts";
import type { SignOptions } from "./release/document-file.ts";
import { documentData, documentText } from "./release/document-text.ts";
import { registerDowngrade } from "./release/downgrade.ts";
import { many, withKeys } from "./release/key-file.ts";
import { registerVerifyFolder } from "./release/verify-folder.ts";

export const registerRelease: Register = (group, act) => {
  const release = group
    .command("release")
    .description("Sign releases, check them, and point channels at them.");
  registerDelta(release, act);

  const sign = release
    .command("sign")
    .argument("<manifest>", "the manifest’s file: it gets the signatures")
    .addOption(many("--add <file>", "a copy that was signed elsewhere, whose signatures are added"))
    .description("Add signatures to a release, here or on a machine without a network.");
  act<SignOptions>(withKeys(sign), async (keel, [word = ""], options) => {
    await signFile(keel, { file: resolve(keel.terminal.cwd, word), kind: "release" }, options);
  });

  registerVerifyFolder(release, act);
  registerChannel(release, act);
  registerDowngrade(release, act);

  const show = release
    .command("show")
    .argument("<file>", "a manifest, pointer, root or leave to go back")
    .description("Show what a signed document says, without believing it.");
  act(show, async (keel, [word = ""]) => {
    const file = resolve(keel.terminal.cwd, word);
    const envelope = await readAnyDocument(file);
    const { kind, signatures } = envelope;
    const data = documentData(envelope);
    const ids = signatures.map(({ keyid }) => keyid);
    keel.output.document({ path: file, kind, signatures: ids, payload: data }, () => documentText(envelope));
  });
};

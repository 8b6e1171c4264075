import { resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import type { PublicKey } from "../../../releases/envelope.ts";
import type { Register } from "../../invocation.ts";
import { askPassphrase, makeKey, readPassphrase, readPublicKey } from "./release/key-file.ts";

interface NewOptions {
  readonly passphraseFile?: string;
  readonly passphrase?: boolean;
}

export const registerKeys: Register = (group, act) => {
  const keys = group.command("keys").description("Keys that sign releases.");
  const fresh = keys
    .command("new")
    .argument("<file>", "where the private key goes; FILE.pub gets the public one")
    .addOption(new Option("--passphrase-file <file>", "the passphrase that locks it (else asked for)"))
    .addOption(new Option("--no-passphrase", "do not lock it: for a channel’s key that a service uses"))
    .description("Make a key. It is encrypted, and never leaves its file.");
  act<NewOptions>(fresh, async (keel, [word = ""], options) => {
    const file = resolve(keel.terminal.cwd, word);
    const isLocked = options.passphrase !== false;
    const passphrase = isLocked ? await newPassphrase() : undefined;
    const { id, public: open } = await makeKey(file, passphrase);
    keel.output.document(
      { id, public: open, path: file, publicPath: `${file}.pub`, encrypted: isLocked },
      () => {
        const guard = isLocked ? "encrypted" : "NOT encrypted: whoever reads the file can sign";
        return `key ${id}\n${file}: private, ${guard}\n${file}.pub: public, for \`keel os root\`\n`;
      },
    );

    async function newPassphrase(): Promise<string> {
      if (options.passphraseFile !== undefined)
        return readPassphrase(resolve(keel.terminal.cwd, options.passphraseFile));
      const first = await askPassphrase(keel, `New passphrase of ${file}`);
      if (first.length < 8) throw new KeelError("KEEL-833", "a passphrase has at least 8 characters");
      if ((await askPassphrase(keel, "The same again")) !== first)
        throw new KeelError("KEEL-833", "the two passphrases differ");
      return first;
    }
  });

  const show = keys
    .command("show")
    .argument("<file...>", "public keys, or private ones that are not encrypted")
    .description("Show the identities of keys.");
  act(show, async (keel, files) => {
    const items: (PublicKey & { readonly path: string })[] = [];
    for (const word of files) {
      const path = resolve(keel.terminal.cwd, word);
      items.push({ path, ...(await readPublicKey(path)) });
    }
    keel.output.list({
      name: "keys",
      type: "key",
      items: items.map((item) => ({ ...item })),
      text: () => items.map(({ path, id }) => `${id}  ${path}\n`).join(""),
    });
  });
};

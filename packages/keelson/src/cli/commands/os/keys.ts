import { resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import type { PublicKey } from "../../../releases/envelope.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { nowOf } from "./release/document-file.ts";
import { askPassphrase, makeKey, readPassphrase, readPublicKey } from "./release/key-file.ts";
import { dayCount } from "./release/numbers.ts";

interface NewOptions {
  readonly passphraseFile?: string;
  readonly passphrase?: boolean;
}

interface SecureBootOptions extends NewOptions {
  readonly name: string;
  readonly days?: string;
}

async function newPassphrase(keel: Invocation, what: string, options: NewOptions): Promise<string> {
  if (options.passphraseFile !== undefined)
    return readPassphrase(resolve(keel.terminal.cwd, options.passphraseFile));
  const first = await askPassphrase(keel, `New passphrase of ${what}`);
  if (first.length < 8) throw new KeelError("KEEL-833", "a passphrase has at least 8 characters");
  if ((await askPassphrase(keel, "The same again")) !== first)
    throw new KeelError("KEEL-833", "the two passphrases differ");
  return first;
}

export const registerKeys: Register = (group, act) => {
  const keys = group.command("keys").description("Keys that sign releases, and what machines start.");
  const fresh = keys
    .command("new")
    .argument("<file>", "where the private key goes; FILE.pub gets the public one")
    .addOption(new Option("--passphrase-file <file>", "the passphrase that locks it (else asked for)"))
    .addOption(new Option("--no-passphrase", "do not lock it: for a channel’s key that a service uses"))
    .description("Make a key. It is encrypted, and never leaves its file.");
  act<NewOptions>(fresh, async (keel, [word = ""], options) => {
    const file = resolve(keel.terminal.cwd, word);
    const isLocked = options.passphrase !== false;
    const passphrase = isLocked ? await newPassphrase(keel, file, options) : undefined;
    const { id, public: open } = await makeKey(file, passphrase);
    keel.output.document(
      { id, public: open, path: file, publicPath: `${file}.pub`, encrypted: isLocked },
      () => {
        const guard = isLocked ? "encrypted" : "NOT encrypted: whoever reads the file can sign";
        return `key ${id}\n${file}: private, ${guard}\n${file}.pub: public, for \`keel os root\`\n`;
      },
    );
  });

  const secureBoot = keys
    .command("secure-boot")
    .argument("<folder>", "where PK, KEK and db go: keys, certificates, and files for firmware")
    .addOption(new Option("--name <text>", "whose machines they are for").default("Keelson"))
    .addOption(new Option("--days <number>", "until those who sign make new ones (3650)"))
    .addOption(new Option("--passphrase-file <file>", "the passphrase that locks them (else asked for)"))
    .addOption(new Option("--no-passphrase", "do not lock them"))
    .description("Make the keys of machines with Secure Boot.");
  act<SecureBootOptions>(secureBoot, async (keel, [word = ""], options) => {
    const folder = resolve(keel.terminal.cwd, word);
    if (!/^[\p{L}\p{N} .,'&-]{1,56}$/u.test(options.name))
      throw new KeelError("KEEL-104", `--name ${options.name}: at most 56 letters, digits and spaces`);
    const isLocked = options.passphrase !== false;
    const { makeSecureBootKeys } = await import("./release/secure-boot-keys.ts");
    const files = await makeSecureBootKeys(folder, {
      name: options.name,
      now: nowOf(keel),
      days: dayCount(options.days, 3650) / 86_400,
      passphrase: isLocked ? await newPassphrase(keel, folder, options) : undefined,
    });
    keel.output.document({ folder, files, encrypted: isLocked }, () => {
      const guard = isLocked ? "encrypted" : "NOT encrypted: whoever reads them can sign";
      return [
        `${folder}: PK, KEK and db\n`,
        `*.key: private, ${guard}; db.key signs builds, the others stay away\n`,
        `*.pem, *.cer: certificates; *.auth: for firmware, and \`keel os build --enrol\`\n`,
      ].join("");
    });
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

import { basename, resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../base/errors.ts";
import { writeEnvelope } from "../../../releases/envelope.ts";
import type { Envelope } from "../../../releases/envelope.ts";
import { readRoot, roleNames, rootEnvelope } from "../../../releases/root.ts";
import type { RoleName, Root } from "../../../releases/root.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { nowOf, readDocument, signFile, writeDocument } from "./release/document-file.ts";
import type { SignOptions } from "./release/document-file.ts";
import { documentText } from "./release/document-text.ts";
import { many, readPublicKey, withKeys, writeNew } from "./release/key-file.ts";
import { dayCount, wholeNumber } from "./release/numbers.ts";

interface RootOptions {
  readonly rootKey?: readonly string[];
  readonly releaseKey?: readonly string[];
  readonly channelKey?: readonly string[];
  readonly removeKey?: readonly string[];
  readonly threshold?: readonly string[];
  readonly days?: string;
  readonly development?: boolean;
  readonly epochLeast?: string;
  readonly epochMost?: string;
  readonly newGeneration?: boolean;
  readonly to?: string;
}

const keyOptions = roleNames.map((role) =>
  many(`--${role}-key <file>`, `a public key for the ${role} role; several with several --${role}-key`),
);
const threshold = many("--threshold <role=number>", "how many keys of a role must sign (1)");
const days = new Option("--days <number>", "until it expires (730)");
const epochLeast = new Option("--epoch-least <number>", "releases of older epochs are never installed again");
const epochMost = new Option("--epoch-most <number>", "the highest epoch that release keys may use");

export const registerRoot: Register = (group, act) => {
  const root = group.command("root").description("The root of trust: which keys may sign what.");

  const init = root
    .command("init")
    .argument("<file>", "the file to be written: root.1.json")
    .addOption(new Option("--development", "say that nobody guards these keys"))
    .description("Write the first root. It counts when its root keys have signed it.");
  for (const option of [...keyOptions, threshold, days, epochLeast, epochMost]) init.addOption(option);
  act<RootOptions>(init, async (keel, [word = ""], options) => {
    const created = nowOf(keel);
    const empty = { keys: [], threshold: 1 };
    const start: Root = {
      schema: 1,
      products: ["keelson-os"],
      version: 1,
      purpose: options.development === true ? "development" : "production",
      created,
      expires: created + dayCount(options.days, 730),
      keys: [],
      roles: { root: empty, release: empty, channel: empty },
      generation: 0,
      epoch: { least: 0, most: 16 },
    };
    await writeRoot(keel, {
      file: resolve(keel.terminal.cwd, word),
      root: await changed(keel, start, options),
    });
  });

  const rotate = root
    .command("rotate")
    .argument("<file>", "the newest root")
    .requiredOption("--to <file>", "the next one")
    .addOption(many("--remove-key <id>", "a key, by the beginning of its id, that signs nothing any more"))
    .addOption(new Option("--new-generation", "begin a new generation of channel pointers"))
    .description("Write the root that follows. The root keys of both must sign it.");
  for (const option of [...keyOptions, threshold, days, epochLeast, epochMost]) rotate.addOption(option);
  act<RootOptions>(rotate, async (keel, [word = ""], options) => {
    const last = readRoot(await readDocument(resolve(keel.terminal.cwd, word), "root"));
    const created = Math.max(nowOf(keel), last.created);
    const next = {
      ...last,
      version: last.version + 1,
      created,
      expires: created + dayCount(options.days, 730),
      generation: last.generation + (options.newGeneration === true ? 1 : 0),
    };
    const file = resolve(keel.terminal.cwd, options.to ?? "");
    await writeRoot(keel, { file, root: await changed(keel, next, options) });
  });

  const add = root
    .command("add-key")
    .argument("<file>", "a root that nobody has signed yet")
    .description("Add keys to a root that is being prepared.");
  for (const option of [...keyOptions, threshold]) add.addOption(option);
  act<RootOptions>(add, async (keel, [word = ""], options) => {
    const file = resolve(keel.terminal.cwd, word);
    const envelope = await readDocument(file, "root");
    if (envelope.signatures.length > 0)
      throw new KeelError("KEEL-834", `${file} is signed already`, {
        hint: "keel os root rotate makes the next",
      });
    const next = checkedRoot(await changed(keel, readRoot(envelope), options));
    await writeDocument(file, next);
    report(keel, file, next);
  });

  const sign = root
    .command("sign")
    .argument("<file>", "the root to be signed")
    .addOption(many("--add <file>", "a copy that was signed elsewhere, whose signatures are added"))
    .description("Add signatures to a root.");
  act<SignOptions>(withKeys(sign), async (keel, [word = ""], options) => {
    await signFile(keel, { file: resolve(keel.terminal.cwd, word), kind: "root" }, options);
  });

  const show = root
    .command("show")
    .argument("<file>", "a root")
    .description("Show a root and who signed it.");
  act(show, async (keel, [word = ""]) => {
    const file = resolve(keel.terminal.cwd, word);
    report(keel, file, await readDocument(file, "root"));
  });
};

async function changed(keel: Invocation, root: Root, options: RootOptions): Promise<Root> {
  const files = { root: options.rootKey, release: options.releaseKey, channel: options.channelKey };
  const removed = options.removeKey ?? [];
  const gone = root.keys.filter(({ id }) =>
    removed.some((start) => start.length >= 8 && id.startsWith(start)),
  );
  if (gone.length < removed.length)
    throw new KeelError("KEEL-104", "--remove-key names no key of the root", {
      hint: "keel os root show FILE",
    });
  const keys = new Map(root.keys.map((key) => [key.id, key]));
  const roles: Record<RoleName, Root["roles"][RoleName]> = { ...root.roles };
  for (const name of roleNames) {
    const list = new Set(roles[name].keys);
    for (const { id } of gone) list.delete(id);
    for (const word of files[name] ?? []) {
      const key = await readPublicKey(resolve(keel.terminal.cwd, word));
      keys.set(key.id, {
        ...key,
        name: basename(word)
          .replace(/\.(pub|key|pem)$/g, "")
          .slice(0, 61),
      });
      list.add(key.id);
    }
    roles[name] = { keys: [...list], threshold: roles[name].threshold };
  }
  for (const word of options.threshold ?? []) {
    const match = /^(root|release|channel)=(\d{1,2})$/.exec(word);
    const name = roleNames.find((role) => role === match?.[1]);
    if (name === undefined) throw new KeelError("KEEL-104", `--threshold ${word}: release=2`);
    roles[name] = { ...roles[name], threshold: Number(match?.[2]) };
  }
  const named = new Set(roleNames.flatMap((name) => roles[name].keys));
  return {
    ...root,
    keys: [...keys.values()].filter(({ id }) => named.has(id)),
    roles,
    epoch: {
      least: wholeNumber(options.epochLeast, "--epoch-least") ?? root.epoch.least,
      most: wholeNumber(options.epochMost, "--epoch-most") ?? root.epoch.most,
    },
  };
}

/** Reads what would be written, as every machine does: nothing leaves here that they would refuse. */
function checkedRoot(root: Root): Envelope {
  const envelope = rootEnvelope(root);
  readRoot(envelope);
  return envelope;
}

async function writeRoot(
  keel: Invocation,
  { file, root }: { readonly file: string; readonly root: Root },
): Promise<void> {
  const envelope = checkedRoot(root);
  await writeNew(file, writeEnvelope(envelope));
  report(keel, file, envelope);
}

function report(keel: Invocation, file: string, envelope: Envelope): void {
  const signatures = envelope.signatures.map(({ keyid }) => keyid);
  keel.output.document({ path: file, root: readRoot(envelope), signatures }, () => documentText(envelope));
}

// Signing keys in files: PKCS#8, encrypted unless asked otherwise. Passphrases come from files or from a prompt, and
// go to other programs through pipes; never through arguments or the environment.
import { spawn } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { chmod, open, readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { Option } from "commander";
import type { Command } from "commander";
import { describeError, KeelError } from "../../../../base/errors.ts";
import { publicKeyOf } from "../../../../releases/envelope.ts";
import type { PublicKey } from "../../../../releases/envelope.ts";
import type { Invocation } from "../../../invocation.ts";

const mostBytes = 16 << 10;
/** Rounds of PBKDF2 between a passphrase and the key that it locks. */
const rounds = 600_000;

export interface KeyOptions {
  readonly key?: readonly string[];
  readonly passphraseFile?: readonly string[];
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** An option that may be given several times. */
export function many(flags: string, description: string): Option {
  return new Option(flags, description).argParser(collect);
}

export function withKeys(command: Command): Command {
  return command
    .addOption(many("--key <file>", "a private key to sign with; several with several --key"))
    .addOption(
      many("--passphrase-file <file>", "the passphrase of each --key, in their order (else asked for)"),
    );
}

/** Makes a key. Throws KEEL-834 when the file is there. */
export async function makeKey(file: string, passphrase: string | undefined): Promise<PublicKey> {
  const { privateKey } = generateKeyPairSync("ed25519");
  await writePrivateKey(file, privateKey, passphrase);
  const open_ = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
  await writeNew(`${file}.pub`, String(open_), 0o644);
  return publicKeyOf(privateKey);
}

/** Writes a private key, encrypted when there is a passphrase. Throws KEEL-834 when the file is there. */
export async function writePrivateKey(
  file: string,
  key: KeyObject,
  passphrase: string | undefined,
): Promise<void> {
  const plain = String(key.export({ type: "pkcs8", format: "pem" }));
  await writeNew(file, passphrase === undefined ? plain : await lock(plain, passphrase), 0o600);
}

/** The keys of `--key`, unlocked. Throws KEEL-833, and KEEL-104 when there is none. */
export async function signingKeys(keel: Invocation, options: KeyOptions): Promise<readonly KeyObject[]> {
  const files = options.key ?? [];
  if (files.length === 0) throw new KeelError("KEEL-104", "no key to sign with", { hint: "--key FILE" });
  const keys: KeyObject[] = [];
  for (const [i, word] of files.entries())
    keys.push(await readPrivateKey(keel, resolve(keel.terminal.cwd, word), options.passphraseFile?.[i]));
  // Refuses what signs no releases.
  for (const key of keys) publicKeyOf(key);
  return keys;
}

/** A public key, from its own file or from a private one that is not encrypted. Throws KEEL-833. */
export async function readPublicKey(file: string): Promise<PublicKey> {
  const pem = await readPem(file);
  try {
    return publicKeyOf(createPublicKey(pem));
  } catch (cause) {
    const hint = isLocked(pem) ? `its public half is in ${file}.pub` : "a PEM file of an Ed25519 key";
    throw new KeelError("KEEL-833", `${file} holds no public key that can be read`, { cause, hint });
  }
}

/** The first line of a file. Throws KEEL-833 when it is too short to guard anything. */
export async function readPassphrase(file: string): Promise<string> {
  const passphrase = (await readSmall(file)).split("\n")[0] ?? "";
  if (passphrase.length < 8)
    throw new KeelError("KEEL-833", `${file}: a passphrase has at least 8 characters in its first line`);
  return passphrase;
}

/** Asks on the terminal, without showing what is typed. */
export async function askPassphrase(keel: Invocation, question: string): Promise<string> {
  if (!keel.terminal.interactive)
    throw new KeelError("KEEL-833", `${question}: there is nobody to ask`, {
      hint: "--passphrase-file FILE",
    });
  const child = spawn("systemd-ask-password", ["--timeout=120", `${question}:`], {
    stdio: ["inherit", "pipe", "inherit"],
    signal: keel.signal,
  });
  const ended = new Promise<number | null>((done, fail) => child.once("close", done).once("error", fail));
  const answer = (await textOf(child.stdout)).replace(/\n$/, "");
  if ((await ended) !== 0 || answer === "") throw new KeelError("KEEL-833", `${question}: no answer`);
  return answer;
}

/** A file that was not there. Throws KEEL-834. */
export async function writeNew(file: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  try {
    await using handle = await open(file, "wx", mode);
    await handle.writeFile(content);
    await handle.sync();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new KeelError("KEEL-834", `${file} is there already`, { cause });
    throw new KeelError("KEEL-104", `${file} cannot be written: ${describeError(cause)}`, { cause });
  }
  await chmod(file, mode);
}

/** A private key of any kind, unlocked. Throws KEEL-833. */
export async function readPrivateKey(
  keel: Invocation,
  file: string,
  passphraseFile: string | undefined,
): Promise<KeyObject> {
  const pem = await readPem(file);
  if (((await stat(file)).mode & 0o077) !== 0 && !isLocked(pem))
    throw new KeelError("KEEL-833", `${file} is not encrypted, and others may read it`, {
      hint: `chmod 600 ${file}`,
    });
  const passphrase = !isLocked(pem)
    ? undefined
    : passphraseFile === undefined
      ? await askPassphrase(keel, `Passphrase of ${file}`)
      : await readPassphrase(resolve(keel.terminal.cwd, passphraseFile));
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    // The cause may quote what was given.
    throw new KeelError("KEEL-833", `${file} holds no private key, or its passphrase is another one`);
  }
}

/** PKCS #8, or the older form of openssl's. */
const isLocked = (pem: string): boolean =>
  pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----") || /^Proc-Type: 4,ENCRYPTED/m.test(pem);

async function readPem(file: string): Promise<string> {
  const pem = await readSmall(file);
  if (!pem.includes("-----BEGIN ")) throw new KeelError("KEEL-833", `${file} is no PEM file`);
  return pem;
}

/** The text of a small file. Throws KEEL-833. */
export async function readSmall(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > mostBytes) throw new Error(`it has more than ${mostBytes} bytes`);
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new KeelError("KEEL-833", `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** Node's own encryption has too few rounds; openssl-pkcs8(1) lets them be chosen. */
async function lock(pem: string, passphrase: string): Promise<string> {
  const args = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", String(rounds)];
  const child = spawn("openssl", [...args, "-passout", "fd:3"], {
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", OPENSSL_CONF: "/dev/null", LC_ALL: "C" },
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    timeout: 60_000,
  });
  const ended = new Promise<number | null>((done, fail) => child.once("close", done).once("error", fail));
  const pipe = child.stdio[3];
  if (pipe !== null && pipe !== undefined && "end" in pipe) pipe.end(`${passphrase}\n`);
  child.stdin?.end(pem);
  const [locked, words, code] = await Promise.all([
    child.stdout === null ? "" : textOf(child.stdout),
    child.stderr === null ? "" : textOf(child.stderr),
    ended.catch((cause: unknown) => {
      throw new KeelError("KEEL-833", "the openssl program cannot be run", {
        cause,
        hint: "apt install openssl",
      });
    }),
  ]);
  if (code !== 0 || !isLocked(locked)) throw new KeelError("KEEL-833", `openssl: ${words.slice(0, 500)}`);
  return locked;
}

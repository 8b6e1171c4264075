import { readFile, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { runCommand } from "./command.ts";

/** Makes an Ed25519 key pair at `path` and `path.pub` unless it is there. */
export async function ensureKeyPair(path: string, comment: string): Promise<void> {
  if (existsSync(path) && existsSync(`${path}.pub`)) return;
  await rm(path, { force: true });
  await runCommand(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]);
}

/** A public key as it stands in authorized_keys and known_hosts: kind and key. */
export async function readPublicKey(path: string): Promise<string> {
  const [kind, key] = (await readFile(`${path}.pub`, "utf8")).trim().split(" ");
  return `${kind} ${key}`;
}

/** The tmpfiles.d lines that put a host key in its place. */
export function hostKeyTmpfiles(privateKey: string, publicKey: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const path = "/etc/ssh/ssh_host_ed25519_key";
  return `f~ ${path} 0600 root root - ${base64(privateKey)}
f~ ${path}.pub 0644 root root - ${base64(`${publicKey}\n`)}
`;
}

// etcd's configuration file: YAML, names as the flags', TLS in sections of its own.
// Source: server/embed/config.go at v3.5.16 (configYAML) and its etcd.conf.yml.sample.

import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { FlagError } from "./flag-error.ts";
import { FLAGS } from "./flag-table.ts";
import { complaint } from "./flag-values.ts";
import type { GivenFlags } from "./parse-flags.ts";

const MOST_BYTES = 1 << 20;
/** Flags that stand for the names in a section about TLS. */
const SECTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-file": "client-cert-file",
    "client-key-file": "client-key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls",
    "allowed-hostname": "client-cert-allowed-hostname",
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-cn": "peer-cert-allowed-cn",
    "allowed-hostname": "peer-cert-allowed-hostname",
  },
};
/** Names in the file that are not the flag's. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  "experimental-snapshot-catch-up-entries": "experimental-snapshot-catchup-entries",
};

/** Reads a file. Throws FlagError for one that cannot be read or followed. */
export async function readConfigFile(path: string): Promise<GivenFlags> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new FlagError(cause instanceof Error ? cause.message : String(cause));
  }
  return parseConfigFile(text, path);
}

/** The flags that a file stands for. Throws FlagError. */
export function parseConfigFile(text: string, path: string): GivenFlags {
  if (text.length > MOST_BYTES) throw new FlagError(`${path} is too large`);
  const document = parseDocument(text);
  const [fault] = document.errors;
  if (fault !== undefined) throw new FlagError(`${path}: ${fault.message}`);
  const given = new Map<string, string>();
  const take = (name: string, value: unknown): void => {
    const flag = flagText(name, value, path);
    if (flag !== undefined) given.set(name, flag);
  };
  for (const [name, value] of entries(contents(document, path), path)) {
    const section = SECTIONS[name];
    if (section === undefined) take(OTHER_NAMES[name] ?? name, value);
    else
      for (const [key, inner] of entries(value, `${path}: ${name}`))
        take(section[key] ?? `${name}.${key}`, inner);
  }
  return given;
}

/** Without what one part would borrow from another: no configuration needs it, and it can grow without bound. */
function contents(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw new FlagError(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function entries(value: unknown, where: string): readonly (readonly [string, unknown])[] {
  if (value === null || value === undefined) return [];
  if (typeof value !== "object" || Array.isArray(value))
    throw new FlagError(`${where} is no mapping of names to values`);
  return Object.entries(value);
}

/** The value of a flag, as on a command line; undefined if there is none. Throws FlagError. */
function flagText(name: string, value: unknown, path: string): string | undefined {
  const flag = FLAGS.get(name);
  if (flag === undefined || name === "config-file") {
    throw new FlagError(`${path}: there is no ${JSON.stringify(name)}`);
  }
  if (value === null || value === undefined || value === "") return undefined;
  const text = textOf(flag.kind === "duration", value);
  const fault = text === undefined ? "it is neither text nor a number" : complaint(flag.kind, text);
  if (fault !== undefined) throw new FlagError(`${path}: invalid value for ${name}: ${fault}`);
  return text;
}

/** As on a command line. A duration may be a number of nanoseconds, as Go writes them. */
function textOf(isDuration: boolean, value: unknown): string | undefined {
  if (typeof value === "number" && isDuration) return `${value}ns`;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(",");
  return undefined;
}

// Which store the commands for keys speak to, and how keys are written on the command line.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { describeError, KeelError } from "../../../base/errors.ts";
import type { KeySpan, StoreKeys } from "../../../model/stored-key.ts";
import { mostKeyBytes, prefixSpan } from "../../../model/stored-key.ts";
import type { Invocation } from "../../invocation.ts";

export interface KeyOptions {
  readonly endpoints?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly hex?: boolean;
}

/** What all commands for keys take. */
export function withKeyOptions(command: Command): Command {
  return withStoreOptions(
    command.addOption(new Option("--hex", "keys on the command line are written in hex")),
  );
}

/** Which store is meant. */
export function withStoreOptions(command: Command): Command {
  return command
    .addOption(new Option("--endpoints <urls>", "ask this etcd, http(s)://host:port, several with commas"))
    .addOption(new Option("--cacert <file>", "with --endpoints: the authority of the store’s certificate"))
    .addOption(new Option("--cert <file>", "with --endpoints: the client’s certificate"))
    .addOption(new Option("--key <file>", "with --endpoints: the key of --cert"))
    .addOption(
      new Option(
        "--user <name>",
        "with --endpoints: a user of the store; its password is KEEL_STORE_PASSWORD",
      ),
    );
}

/** The cluster's store through its keeld, or the store at --endpoints. To be disposed of. */
export async function openKeys(
  keel: Invocation,
  options: KeyOptions,
): Promise<{ readonly keys: StoreKeys } & AsyncDisposable> {
  if (options.endpoints === undefined) {
    for (const name of ["cacert", "cert", "key", "user"] as const) {
      if (options[name] !== undefined) throw new KeelError("KEEL-104", `--${name} needs --endpoints`);
    }
    const { DaemonKeys } = await import("./daemon-keys.ts");
    const keys = new DaemonKeys(await keel.daemon());
    return { keys, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const client = await storeClient(keel, { ...options, endpoints: options.endpoints });
  const { EtcdStoreKeys } = await import("../../../registry/store-keys.ts");
  return {
    keys: new EtcdStoreKeys(() => client),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** A client of the store at --endpoints. Throws KEEL-104 for what it cannot be made of. */
export async function storeClient(keel: Invocation, options: KeyOptions & { readonly endpoints: string }) {
  const { EtcdClient } = await import("@keelson/etcd/client");
  const { cwd, env } = keel.terminal;
  const file = async (path: string): Promise<string> => {
    try {
      return await readFile(resolve(cwd, path), "utf8");
    } catch (cause) {
      throw new KeelError("KEEL-104", `${path} cannot be read: ${describeError(cause)}`, { cause });
    }
  };
  const { cacert, cert, key, user } = options;
  const password = env["KEEL_STORE_PASSWORD"];
  if (user !== undefined && (password ?? "") === "") {
    throw new KeelError("KEEL-104", "--user needs the password in the environment, as KEEL_STORE_PASSWORD");
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new KeelError("KEEL-104", "--cert and --key belong together");
  }
  const isSecure = cacert !== undefined || cert !== undefined;
  const tls = {
    ca: cacert === undefined ? undefined : await file(cacert),
    cert: cert === undefined ? undefined : await file(cert),
    key: key === undefined ? undefined : await file(key),
  };
  try {
    return new EtcdClient({
      endpoints: options.endpoints.split(",").map((endpoint) => endpoint.trim()),
      deadlineMs: 5000,
      ...(isSecure ? { tls } : {}),
      ...(user === undefined ? {} : { auth: { username: user, password: password ?? "" } }),
    });
  } catch (cause) {
    throw new KeelError("KEEL-104", describeError(cause), { cause });
  }
}

/** A key of the command line. Throws KEEL-104. */
export function keyOf(word: string, { hex = false }: { readonly hex?: boolean }): Uint8Array {
  if (hex && !/^([0-9a-fA-F]{2})*$/.test(word)) {
    throw new KeelError("KEEL-104", `"${word}" is not hex: two digits for each byte`);
  }
  const key = Buffer.from(word, hex ? "hex" : "utf8");
  if (key.length > mostKeyBytes) {
    throw new KeelError("KEEL-104", `a key has 1 to ${mostKeyBytes} bytes, not ${key.length}`);
  }
  return key;
}

/** One key, or all that begin with it. */
export function spanOf(
  word: string,
  options: { readonly hex?: boolean; readonly prefix?: boolean },
): KeySpan {
  const key = keyOf(word, options);
  if (options.prefix === true) return prefixSpan(key);
  if (key.length === 0) throw new KeelError("KEEL-104", "a key cannot be empty");
  return { start: key };
}

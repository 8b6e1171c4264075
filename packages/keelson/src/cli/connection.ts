// How the daemon and the machines are reached: fleetctl's own options, and its environment, on every command.
// What means nothing here is refused with a sentence; nothing is taken and ignored.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { KeelError } from "../base/errors.ts";
import { parseDuration } from "./duration.ts";

export interface ConnectionOptions {
  readonly endpoint?: string;
  readonly driver?: string;
  readonly tunnel?: string;
  readonly sshUsername?: string;
  readonly sshTimeout?: string;
  readonly strictHostKeyChecking?: boolean;
  readonly knownHostsFile?: string;
  readonly requestTimeout?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly etcdKeyPrefix?: string;
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
  readonly experimentalApi?: string;
  readonly debug?: boolean;
}

type Flag = keyof ConnectionOptions;

interface FlagEntry {
  readonly flag: Flag;
  readonly syntax: string;
  readonly says: string;
}

/** Every one, by the name of its option: `--ssh-username`, and FLEETCTL_SSH_USERNAME in the environment. */
export const connectionFlags: readonly FlagEntry[] = [
  {
    flag: "endpoint",
    syntax: "--endpoint <url>",
    says: "unix:///path, http://host:port or https://host:port of a keeld",
  },
  { flag: "driver", syntax: "--driver <name>", says: "API, the only one there is" },
  {
    flag: "tunnel",
    syntax: "--tunnel <host>",
    says: "reach the daemon and the machines over ssh to HOST[:PORT]",
  },
  { flag: "sshUsername", syntax: "--ssh-username <name>", says: "who to be on machines (root)" },
  { flag: "sshTimeout", syntax: "--ssh-timeout <seconds>", says: "how long ssh may take to connect (10)" },
  {
    flag: "strictHostKeyChecking",
    syntax: "--strict-host-key-checking",
    says: "check the host keys of machines; =false does not",
  },
  { flag: "knownHostsFile", syntax: "--known-hosts-file <path>", says: "where their host keys are kept" },
  {
    flag: "requestTimeout",
    syntax: "--request-timeout <seconds>",
    says: "how long one request may take (30)",
  },
  { flag: "caFile", syntax: "--ca-file <path>", says: "the authority of an https endpoint" },
  { flag: "certFile", syntax: "--cert-file <path>", says: "the client’s certificate for it" },
  { flag: "keyFile", syntax: "--key-file <path>", says: "the key of that certificate" },
  {
    flag: "etcdKeyPrefix",
    syntax: "--etcd-key-prefix <prefix>",
    says: "refused: there is no registry in etcd",
  },
  { flag: "etcdCafile", syntax: "--etcd-cafile <path>", says: "refused: the same as --ca-file once" },
  { flag: "etcdCertfile", syntax: "--etcd-certfile <path>", says: "refused: the same as --cert-file once" },
  { flag: "etcdKeyfile", syntax: "--etcd-keyfile <path>", says: "refused: the same as --key-file once" },
  { flag: "experimentalApi", syntax: "--experimental-api [boolean]", says: "true, the only one there is" },
  { flag: "debug", syntax: "--debug", says: "tell every request on stderr" },
];

const wordOf = ({ syntax }: FlagEntry): string => syntax.split(" ", 1)[0] ?? syntax;

/** Those that stand without a value. */
export const connectionSwitches: ReadonlySet<string> = new Set([
  "--debug",
  "--strict-host-key-checking",
  "--no-strict-host-key-checking",
  "--experimental-api",
]);
/** Those that are followed by one. */
export const connectionValues: ReadonlySet<string> = new Set(
  connectionFlags.map(wordOf).filter((word) => !connectionSwitches.has(word)),
);

/** They are the same everywhere, and told in one place: the reference, under "Everywhere". */
export function withConnection(command: Command): Command {
  for (const { syntax, says } of connectionFlags) command.addOption(new Option(syntax, says).hideHelp());
  return command.addOption(
    new Option("--no-strict-host-key-checking", "do not check the host keys of machines").hideHelp(),
  );
}

/** How ssh is to be called; what is undefined is left to ssh and to what `keel up` made. */
export interface SshSettings {
  readonly user: string | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly strict: boolean | undefined;
  readonly knownHostsFile: string | undefined;
  readonly tunnel: SshHop | undefined;
}

export interface SshHop {
  readonly host: string;
  readonly port: number;
}

export interface Connection {
  /** As it was given, by an option or by FLEETCTL_ENDPOINT; undefined for Keelson's own ways. */
  readonly endpoint: string | undefined;
  readonly ssh: SshSettings;
  readonly requestMs: number | undefined;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
  readonly debug: boolean;
}

/** Of a command line without any of it. */
export const plainConnection: Connection = {
  endpoint: undefined,
  ssh: {
    user: undefined,
    timeoutSeconds: undefined,
    strict: undefined,
    knownHostsFile: undefined,
    tunnel: undefined,
  },
  requestMs: undefined,
  tls: undefined,
  debug: false,
};

export interface Place {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** A cluster or an endpoint was named in Keelson's own way: fleetctl's ways to one do not count. */
  readonly isNamed: boolean;
}

/** Options first, then FLEETCTL_… of the environment. KEEL-104 for what cannot be read, KEEL-584 for what is refused. */
export function readConnection(options: ConnectionOptions, { env, cwd, isNamed }: Place): Connection {
  const { endpoint, tunnel, ...others } = fromEnvironment(env);
  const ways = isNamed ? {} : { endpoint, tunnel };
  const given: ConnectionOptions = { ...defined(ways), ...others, ...defined(options) };
  refuseMeaningless(given);
  const path = (text: string): string => resolve(cwd, text.replace(/^~(?=\/)/, homedir()));
  return {
    endpoint: given.endpoint,
    ssh: {
      user: given.sshUsername,
      timeoutSeconds:
        given.sshTimeout === undefined
          ? undefined
          : Math.ceil(parseDuration(given.sshTimeout, "--ssh-timeout") / 1000),
      strict: given.strictHostKeyChecking,
      knownHostsFile: given.knownHostsFile === undefined ? undefined : path(given.knownHostsFile),
      tunnel: given.tunnel === undefined ? undefined : parseHop(given.tunnel),
    },
    requestMs:
      given.requestTimeout === undefined
        ? undefined
        : parseDuration(given.requestTimeout, "--request-timeout"),
    tls: readTls(given, path),
    debug: given.debug === true,
  };
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): ConnectionOptions {
  const found = connectionFlags.flatMap((entry) => {
    const word = wordOf(entry);
    const text = env[`FLEETCTL_${word.slice(2).replaceAll("-", "_").toUpperCase()}`] ?? "";
    if (text === "") return [];
    return [[entry.flag, isSwitch(entry.flag) ? isTrue(text) : text] as const];
  });
  return Object.fromEntries(found) as ConnectionOptions;
}

const isSwitch = (flag: Flag): boolean => flag === "debug" || flag === "strictHostKeyChecking";

/** What fleetctl took for yes. */
export const isTrue = (text: string): boolean => /^(1|t|true)$/i.test(text);

function defined(options: { readonly [Name in Flag]?: unknown }): ConnectionOptions {
  const names = new Set<string>(connectionFlags.map(({ flag }) => flag));
  const entries = Object.entries(options).filter(([name, value]) => names.has(name) && value !== undefined);
  return Object.fromEntries(entries) as ConnectionOptions;
}

function refuseMeaningless(given: ConnectionOptions): void {
  const refuse = (flag: string, reason: string, hint: string): never => {
    throw new KeelError("KEEL-584", `${flag}: ${reason}`, { hint });
  };
  if (given.driver !== undefined && given.driver.toLowerCase() !== "api")
    refuse(
      `--driver=${given.driver}`,
      "Keelson keeps no registry that a client could write",
      "--driver=API, or leave it out",
    );
  if (given.etcdKeyPrefix !== undefined)
    refuse("--etcd-key-prefix", "Keelson keeps no registry that a client could write", "leave it out");
  if (given.experimentalApi !== undefined && !isTrue(String(given.experimentalApi)))
    refuse(`--experimental-api=${given.experimentalApi}`, "there is no way around the API", "leave it out");
  for (const [flag, now] of [
    ["etcdCafile", "--ca-file"],
    ["etcdCertfile", "--cert-file"],
    ["etcdKeyfile", "--key-file"],
  ] as const)
    if (given[flag] !== undefined)
      refuse(`--${flag.replace(/([A-Z])/, "-$1").toLowerCase()}`, "fleetctl had given it up", `use ${now}`);
}

/** `bastion`, `bastion:2222`, `[fe80::1]:22`. */
function parseHop(text: string): SshHop {
  const [, bracketed, plain, port = "22"] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? (text.split(":").length > 2 ? text : undefined);
  if (host !== undefined && /^[A-Za-z0-9_.:%-]+$/.test(host) && !host.startsWith("-"))
    return { host, port: Number(port) };
  throw new KeelError("KEEL-104", `--tunnel ${text}: no host`, {
    hint: "--tunnel HOST or --tunnel HOST:PORT",
  });
}

function readTls(given: ConnectionOptions, path: (text: string) => string): Connection["tls"] {
  const { caFile, certFile, keyFile } = given;
  if (caFile === undefined && certFile === undefined && keyFile === undefined) return undefined;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new KeelError("KEEL-104", "--cert-file and --key-file go together", { hint: "give both" });
  const read = (flag: string, file: string): Buffer => {
    try {
      return readFileSync(path(file));
    } catch (cause) {
      throw new KeelError("KEEL-104", `${flag} ${file}: ${(cause as Error).message}`, { cause });
    }
  };
  return {
    ...(caFile !== undefined && { ca: read("--ca-file", caFile) }),
    ...(certFile !== undefined && { cert: read("--cert-file", certFile) }),
    ...(keyFile !== undefined && { key: read("--key-file", keyFile) }),
  };
}

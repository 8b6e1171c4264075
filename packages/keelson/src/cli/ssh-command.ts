// The system's own ssh, as argv.
import type { SshHop, SshSettings } from "./connection.ts";

export interface SshTarget {
  readonly address: string;
  /** Options that say with which key, and which host keys to believe. */
  readonly options: readonly string[];
  readonly user: string;
}

export interface SshRequest {
  /** One word is a line for the remote shell, several arrive as they are; a login shell if there are none. */
  readonly command: readonly string[];
  /** Ask for a terminal on the machine. */
  readonly terminal: boolean;
  /** Another port than 22. */
  readonly port?: number | undefined;
  /** Let the machine use this one's ssh-agent. */
  readonly forwardAgent?: boolean | undefined;
}

const keepAlive = ["-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"];

/** `ssh … root@ADDRESS -- 'command'`. */
export function sshArgv(target: SshTarget, request: SshRequest): readonly string[] {
  const remote = request.command.length === 0 ? [] : ["--", remoteLine(request.command)];
  return [
    "ssh",
    ...target.options,
    ...keepAlive,
    ...(request.port === undefined ? [] : ["-p", String(request.port)]),
    ...(request.forwardAgent === true ? ["-A"] : []),
    request.terminal ? "-t" : "-T",
    `${target.user}@${target.address}`,
    ...remote,
  ];
}

/** What a person has said of ssh; the first value that ssh reads of an option counts. */
export function sshOptionsOf(settings: Omit<SshSettings, "tunnel">): readonly string[] {
  const { timeoutSeconds, strict, knownHostsFile } = settings;
  const checking = strict === undefined ? [] : [`StrictHostKeyChecking=${strict ? "ask" : "no"}`];
  const keys = strict === false ? "/dev/null" : knownHostsFile;
  const options = [
    ...(timeoutSeconds === undefined ? [] : [`ConnectTimeout=${timeoutSeconds}`]),
    ...checking,
    ...(keys === undefined ? [] : [`UserKnownHostsFile=${keys}`]),
  ];
  return options.flatMap((option) => ["-o", option]);
}

/** By way of another machine: what ssh runs to get its connection. */
export function throughHop(hop: SshHop, settings: SshSettings): readonly string[] {
  const argv = [
    "ssh",
    ...sshOptionsOf(settings),
    ...keepAlive,
    "-p",
    String(hop.port),
    "-W",
    "[%h]:%p",
    hopName(hop, settings),
  ];
  return ["-o", `ProxyCommand=${argv.map(hopQuote).join(" ")}`];
}

/** A socket here that leads to a socket, or to `host:port`, over there. */
export function forwardArgv(
  hop: SshHop,
  settings: SshSettings,
  { local, remote }: { readonly local: string; readonly remote: string },
): readonly string[] {
  const forward = ["-N", "-T", "-o", "ExitOnForwardFailure=yes", "-L", `${local}:${remote}`];
  return [
    "ssh",
    ...sshOptionsOf(settings),
    ...keepAlive,
    ...forward,
    "-p",
    String(hop.port),
    hopName(hop, settings),
  ];
}

const hopName = ({ host }: SshHop, { user }: SshSettings): string => `${user ?? "root"}@${host}`;

/** ssh replaces %h and %p before a shell reads the words. */
const hopQuote = (word: string): string => (word === "[%h]:%p" ? "'[%h]:%p'" : shellQuote(word));

function remoteLine(words: readonly string[]): string {
  const [only = "", second] = words;
  return second === undefined ? only : words.map(shellQuote).join(" ");
}

/** The word for a POSIX shell, so that it arrives as it is. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

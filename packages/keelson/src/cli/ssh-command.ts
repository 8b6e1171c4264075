// The system's own ssh, as argv.

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
}

/** `ssh … root@ADDRESS -- 'command'`. */
export function sshArgv(target: SshTarget, request: SshRequest): readonly string[] {
  const keepAlive = ["-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"];
  const remote = request.command.length === 0 ? [] : ["--", remoteLine(request.command)];
  return [
    "ssh",
    ...target.options,
    ...keepAlive,
    request.terminal ? "-t" : "-T",
    `${target.user}@${target.address}`,
    ...remote,
  ];
}

function remoteLine(words: readonly string[]): string {
  const [only = "", second] = words;
  return second === undefined ? only : words.map(shellQuote).join(" ");
}

/** The word for a POSIX shell, so that it arrives as it is. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

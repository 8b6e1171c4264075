// The system's own ssh, as argv. Machines are known by the host key that they were given at their making.

export interface SshTarget {
  readonly address: string
  /** The file with the private key; ssh's own choice if absent. */
  readonly key: string | undefined
  /** The file that knows the machines' host keys; ssh's own if absent. */
  readonly knownHosts: string | undefined
  readonly user: string
}

export interface SshRequest {
  /** Words for the remote shell, quoted here; a login shell if there are none. */
  readonly command: readonly string[]
  /** Ask for a terminal on the machine. */
  readonly terminal: boolean
}

/** `ssh … root@ADDRESS -- 'command'`. */
export function sshArgv(target: SshTarget, request: SshRequest): readonly string[] {
  const options = [
    ...(target.key === undefined ? [] : ['-i', target.key, '-o', 'IdentitiesOnly=yes']),
    ...(target.knownHosts === undefined
      ? []
      : ['-o', `UserKnownHostsFile=${target.knownHosts}`, '-o', 'GlobalKnownHostsFile=/dev/null', '-o', 'StrictHostKeyChecking=yes']),
    ...['-o', 'ConnectTimeout=5', '-o', 'LogLevel=ERROR', '-o', 'ServerAliveInterval=5'],
    ...(request.command.length > 0 && !request.terminal ? ['-o', 'BatchMode=yes', '-T'] : []),
    ...(request.terminal ? ['-t'] : []),
  ]
  const remote = request.command.length === 0 ? [] : ['--', request.command.map(shellQuote).join(' ')]
  return ['ssh', ...options, `${target.user}@${target.address}`, ...remote]
}

/** The word for a POSIX shell, so that it arrives as it is. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

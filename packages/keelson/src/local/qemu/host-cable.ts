// The cable between the host and one machine, beside the cluster's network: commands reach the machine over it
// whatever is cut or pulled there. QEMU carries it: a port on the host's loopback leads to the machine's SSH, and
// nothing leads from the machine to the host.
import { createConnection } from "node:net";
import { quote } from "../launch.ts";

/** The port on the machine's own loopback address of the host. */
export const hostCablePort = 7422;

/** 10.205.7.12 is reached at 127.205.7.12. No two machines of a host share one. */
export function loopbackAddress(address: string): string {
  return address.replace(/^10\./, "127.");
}

export interface Login {
  /** The machine's address in the cluster. */
  readonly address: string;
  readonly name: string;
  readonly identity: string;
  readonly knownHosts: string;
  /** Where the connection that later commands share is kept: a socket's path. */
  readonly shared: string;
  readonly connectSeconds: number;
}

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/** The argv that runs a command on the machine as root, with nothing of the host's environment. */
export function loginCommand(
  login: Login,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string[] {
  const options = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=yes",
    "LogLevel=ERROR",
    `UserKnownHostsFile=${login.knownHosts}`,
    `HostKeyAlias=${login.name}`,
    `ConnectTimeout=${login.connectSeconds}`,
    "ControlMaster=auto",
    `ControlPath=${login.shared}`,
    "ControlPersist=30",
  ].flatMap((option) => ["-o", option]);
  const variables = Object.entries({ PATH: path, HOME: "/root", LANG: "C.UTF-8", ...env });
  const words = ["env", "-i", ...variables.map(([name, value]) => `${name}=${value}`), ...argv];
  const line = ["cd", "/", "&&", "exec", ...words.map(quote)].join(" ");
  const target = `root@${loopbackAddress(login.address)}`;
  return "ssh -F none -T -i"
    .split(" ")
    .concat(login.identity, options, "-p", String(hostCablePort), target, "--", line);
}

/** Whether the machine's SSH greets. QEMU itself takes every connection, so only the greeting counts. */
export function greets(
  address: string,
  { timeoutMs, port = hostCablePort }: { readonly timeoutMs: number; readonly port?: number },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: loopbackAddress(address), port });
    const finish = (greeted: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(greeted);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.once("data", (chunk: Buffer) => finish(chunk.toString("latin1").startsWith("SSH-2.0-")));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}

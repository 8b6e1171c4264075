// The way to a daemon through another machine: ssh forwards a socket of ours to the daemon's socket over there, or
// to an address that is reached from there. Nothing has to be installed on that machine.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import type { SshHop, SshSettings } from "./connection.ts";
import { forwardArgv } from "./ssh-command.ts";

const openMs = 15_000;
const lookMs = 20;

export class Tunnel implements AsyncDisposable {
  /** The socket on this side. */
  readonly socket: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#child = child;
    this.socket = join(folder, "forward");
  }

  /** `remote`: the path of a socket, or `host:port`. KEEL-585 when ssh does not get through. */
  static async open(
    hop: SshHop,
    remote: string,
    {
      ssh,
      clock,
      signal,
    }: { readonly ssh: SshSettings; readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<Tunnel> {
    const folder = await mkdtemp(join(tmpdir(), "keel-tunnel-"));
    const [program = "ssh", ...args] = forwardArgv(hop, ssh, { local: join(folder, "forward"), remote });
    // ssh may ask for a passphrase or about a host key: it has the terminal for that.
    const child = spawn(program, args, { stdio: ["inherit", "ignore", "pipe"] });
    const tunnel = new Tunnel(folder, child);
    let said = "";
    let ended: string | undefined;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-2000)));
    child.on("error", (error) => (ended = error.message));
    child.on("close", (code) => (ended ??= `ssh ended with ${code ?? "a signal"}`));
    const patienceMs = ssh.timeoutSeconds === undefined ? openMs : ssh.timeoutSeconds * 1000 + 1000;
    const end = clock.now() + patienceMs;
    while (!existsSync(tunnel.socket)) {
      if (ended === undefined && clock.now() < end && !signal.aborted) {
        await clock.sleep(lookMs, signal).catch(() => undefined);
        continue;
      }
      await tunnel[Symbol.asyncDispose]();
      signal.throwIfAborted();
      const why = said.trim() || (ended ?? `not within ${patienceMs / 1000} s`);
      throw new KeelError("KEEL-585", `no tunnel through ${hop.host}:${hop.port}: ${why}`);
    }
    return tunnel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    this.#child.stderr?.destroy();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

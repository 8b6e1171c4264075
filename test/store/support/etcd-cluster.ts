// A real etcd cluster whose members can be killed, paused and cut off. Run it in a network namespace of its own
// (`unshare --net`): each member has a namespace below it. Nothing has a name outside; when this process ends,
// however it ends, the members end with it, and the namespaces with them.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const NETWORK = "10.99.0";
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
/** The kernel ends what runs behind this with its parent, also when it is paused. */
const BOUND = ["setpriv", "--pdeathsig", "KILL", "--"] as const;
/** Runs a program for as long as there is someone at the other end of its input. */
const HELD = 'exec 3<&0; "$@" <&- 3<&- & child=$!; read -r _ <&3; kill -KILL $child; wait $child';

export interface ClusterMember {
  readonly endpoint: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  pause(): void;
  resume(): void;
  cut(): void;
  heal(): void;
}

export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly ClusterMember[];
  readonly #all: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.members = members;
    this.#all = members;
  }

  /** Starts members with their data below a directory. The process must be root of its network namespace. */
  static async start(program: string, dir: string, count: number): Promise<EtcdCluster> {
    ip("link", "set", "lo", "up");
    ip("link", "add", "bridge0", "type", "bridge");
    ip("addr", "add", `${NETWORK}.254/24`, "dev", "bridge0");
    ip("link", "set", "bridge0", "up");
    const numbers = Array.from({ length: count }, (_, place) => place + 1);
    const initial = numbers.map((number) => `m${number}=http://${NETWORK}.${number}:${PEER_PORT}`).join(",");
    const members = numbers.map(
      (number) => new Member(number, { program, dataDir: join(dir, `m${number}`), initial }),
    );
    await Promise.all(members.map((member) => member.start()));
    return new EtcdCluster(members);
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((member) => member.end()));
  }
}

interface MemberOptions {
  readonly program: string;
  readonly dataDir: string;
  readonly initial: string;
}

class Member implements ClusterMember {
  readonly endpoint: string;
  readonly #number: number;
  readonly #options: MemberOptions;
  /** Holds the network namespace while the member is dead. */
  #namespace: ChildProcess | undefined;
  #etcd: ChildProcess | undefined;

  constructor(number: number, options: MemberOptions) {
    this.#number = number;
    this.#options = options;
    this.endpoint = `http://${NETWORK}.${number}:${CLIENT_PORT}`;
  }

  async start(): Promise<void> {
    if (this.#namespace === undefined) await this.#makeNamespace();
    const { program, dataDir, initial } = this.#options;
    const address = `http://${NETWORK}.${this.#number}`;
    const argv = [
      `--name=m${this.#number}`,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${address}:${CLIENT_PORT}`,
      `--advertise-client-urls=${address}:${CLIENT_PORT}`,
      `--listen-peer-urls=${address}:${PEER_PORT}`,
      `--initial-advertise-peer-urls=${address}:${PEER_PORT}`,
      `--initial-cluster=${initial}`,
      "--heartbeat-interval=50",
      "--election-timeout=300",
      "--log-level=fatal",
    ];
    const [bound, ...binding] = BOUND;
    const inside = ["nsenter", "--net", "-t", String(this.#namespace?.pid)];
    this.#etcd = spawn(bound, [...binding, ...inside, "sh", "-c", HELD, "-", ...BOUND, program, ...argv], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
  }

  async kill(): Promise<void> {
    await end(this.#etcd);
    this.#etcd = undefined;
  }

  pause(): void {
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  cut(): void {
    ip("link", "set", `port${this.#number}`, "down");
  }

  heal(): void {
    ip("link", "set", `port${this.#number}`, "up");
  }

  async end(): Promise<void> {
    this.resume();
    await this.kill();
    await end(this.#namespace);
  }

  async #makeNamespace(): Promise<void> {
    const namespace = spawn("unshare", ["--net", "sh", "-c", "echo there; read -r _"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    await once(namespace.stdout, "data");
    const port = `port${this.#number}`;
    ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", String(namespace.pid));
    ip("link", "set", port, "master", "bridge0", "up");
    const inside = (...argv: string[]): void => {
      execFileSync("nsenter", ["--net", "-t", String(namespace.pid), "ip", ...argv]);
    };
    inside("addr", "add", `${NETWORK}.${this.#number}/24`, "dev", "eth0");
    inside("link", "set", "eth0", "up");
    inside("link", "set", "lo", "up");
    this.#namespace = namespace;
  }

  /** To etcd and the shell that holds it: they are one process group. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#etcd?.pid;
    if (pid !== undefined && this.#etcd?.exitCode === null) process.kill(-pid, signal);
  }
}

/** Closing the input ends what hangs on it. */
async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.stdin?.end();
  await gone;
}

function ip(...argv: string[]): void {
  execFileSync("ip", argv);
}

// The cluster as the daemon's event stream tells it. It reconnects by itself, with the last revision it saw
// as the cursor, and keeps what it knew while there is no connection.
import { applyChange } from "../api/apply-change.ts";
import { decodeChange, decodeCluster, decodeHeartbeat } from "../api/decode.ts";
import type { Cluster } from "../api/records.ts";
import type { LinkFacts } from "./liveness.ts";

/** What the page draws from. A new object whenever something changed. */
export interface LiveState {
  readonly cluster: Cluster | undefined;
  readonly link: LinkFacts;
  /** The daemon's clock minus this one's. */
  readonly offsetMs: number;
  /** What the daemon sent and this page could not read. */
  readonly problem: string | undefined;
}

const retryMs = [500, 1000, 2000, 4000];
/** A stream that says nothing for this long is taken for dead. */
const deadMs = 25_000;

export class LiveCluster {
  readonly #path: string;
  readonly #listeners = new Set<() => void>();
  #state: LiveState = {
    cluster: undefined,
    link: { heardAt: undefined, silentMs: 0, isOpen: false, retryAt: undefined },
    offsetMs: 0,
    problem: undefined,
  };
  #source: EventSource | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #dead: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  constructor(path: string) {
    this.#path = path;
  }

  readonly state = (): LiveState => this.#state;

  /** Connects with the first listener, disconnects with the last. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#connect();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#disconnect();
    };
  };

  /** Tries again at once. */
  readonly retry = (): void => {
    if (this.#state.link.isOpen) return;
    this.#disconnect();
    this.#connect();
  };

  #connect(): void {
    const revision = this.#state.cluster?.revision;
    const source = new EventSource(revision === undefined ? this.#path : `${this.#path}?after=${revision}`);
    this.#source = source;
    source.addEventListener("snapshot", (event) =>
      this.#read(event, (data) => {
        const cluster = decodeCluster(data);
        this.#heard({ cluster, offsetMs: cluster.at - Date.now() }, 0);
      }),
    );
    source.addEventListener("change", (event) =>
      this.#read(event, (data) => {
        const change = decodeChange(data);
        const { cluster } = this.#state;
        if (cluster)
          this.#heard({ cluster: applyChange(cluster, change), offsetMs: change.at - Date.now() }, 0);
      }),
    );
    source.addEventListener("heartbeat", (event) =>
      this.#read(event, (data) => {
        const { at, silentMs } = decodeHeartbeat(data);
        this.#heard({ offsetMs: at - Date.now() }, silentMs ?? 0);
      }),
    );
    source.addEventListener("error", () => this.#lost());
    this.#watchForDeath();
  }

  #read(event: MessageEvent, take: (data: unknown) => void): void {
    try {
      take(JSON.parse(String(event.data)));
    } catch (error) {
      this.#set({ problem: error instanceof Error ? error.message : String(error) });
      this.#lost();
    }
  }

  #heard(change: Partial<LiveState>, silentMs: number): void {
    this.#failures = 0;
    this.#watchForDeath();
    this.#set({
      ...change,
      problem: undefined,
      link: { heardAt: Date.now(), silentMs, isOpen: true, retryAt: undefined },
    });
  }

  /** The connection broke: the next try follows, later each time. */
  #lost(): void {
    this.#disconnect();
    const wait =
      (retryMs[Math.min(this.#failures++, retryMs.length - 1)] ?? 0) * (0.85 + 0.3 * Math.random());
    this.#retry = setTimeout(() => this.#connect(), wait);
    this.#set({ link: { ...this.#state.link, isOpen: false, retryAt: Date.now() + wait } });
  }

  #watchForDeath(): void {
    clearTimeout(this.#dead);
    this.#dead = setTimeout(() => this.#lost(), deadMs);
  }

  #disconnect(): void {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#retry);
    clearTimeout(this.#dead);
  }

  #set(change: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

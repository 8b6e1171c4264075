// The whole update server: the log, the ledger and the turns to restart that it keeps, and the endpoint before them.
import type { Clock } from "../base/clock.ts";
import type { Configuration as DaemonConfiguration } from "../base/configuration.ts";
import { describeError, KeelError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import { Configuration } from "../update-policy/configuration.ts";
import type { ConfigurationRecords } from "../update-policy/configuration.ts";
import { fleetLockRoutes } from "./fleet-lock.ts";
import { LedgerDecider } from "./ledger-decider.ts";
import { EntryLog } from "./log/entry-log.ts";
import { machinesOf, overviewOf, whyOf } from "./overview.ts";
import type {
  UpdateFleet,
  UpdateMachinesPage,
  UpdatesOverview,
  UpdateWhy,
} from "../model/update-overview.ts";
import { Payloads } from "./payloads.ts";
import { RebootLock } from "./reboot-lock.ts";
import { UpdateEndpoint } from "./update-endpoint.ts";

export interface UpdateServerOptions extends Pick<
  NonNullable<DaemonConfiguration["updates"]>,
  "listen" | "trustedProxies" | "rebootGroups"
> {
  /** Folder of the log. */
  readonly dataDir: string;
  /** Folder of the payloads. */
  readonly payloads: string;
  /** What the URLs of payloads begin with. */
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks at grants that ran out while nobody asks. */
const SWEEP_MS = 5000;

export class UpdateServer implements AsyncDisposable, UpdateFleet {
  readonly #options: UpdateServerOptions;
  readonly #lifetime: Lifetime;
  readonly #decider: LedgerDecider;
  readonly #entries: EntryLog;
  readonly #endpoint: UpdateEndpoint;
  /** Undefined until the store was read for the first time. */
  #records: ConfigurationRecords | undefined;
  #port = 0;

  private constructor(
    options: UpdateServerOptions,
    { decider, entries, lock }: { decider: LedgerDecider; entries: EntryLog; lock: RebootLock },
  ) {
    const { clock, log, trustedProxies, rebootGroups, payloads } = options;
    this.#options = options;
    this.#lifetime = new Lifetime(log);
    this.#decider = decider;
    this.#entries = entries;
    // The reverse order of these is that of the end: no more requests, then nothing more to write.
    this.#lifetime.own(entries);
    const group = (name: string) => (Object.hasOwn(rebootGroups, name) ? rebootGroups[name] : undefined);
    this.#endpoint = this.#lifetime.own(
      new UpdateEndpoint({
        decider,
        entries,
        clock,
        log,
        trustedProxies,
        routes: [
          new Payloads({ folder: payloads, log }),
          ...fleetLockRoutes({ lock, entries, group, clock, log }),
        ],
      }),
    );
    this.#lifetime.run("sweep of grants", (signal) => this.#sweep(signal));
  }

  /**
   * Reads the log and listens. Until {@link configure} was called every machine gets `noupdate`. Rejects with KEEL-106
   * when it cannot listen, KEEL-910, KEEL-911 or KEEL-912 when the log cannot be had.
   */
  static async start(options: UpdateServerOptions): Promise<UpdateServer> {
    const { log, dataDir, publicUrl, listen } = options;
    const decider = new LedgerDecider({
      configuration: new Configuration({ applications: [], packages: [], channels: [], groups: [] }),
      payloads: `${publicUrl.replace(/\/$/, "")}/v1/payloads`,
      onFailure: (error, { app }) =>
        log.error("a decision broke off; what it had changed is kept", {
          application: app.id,
          machine: app.machineId,
          error: describeError(error),
        }),
    });
    const lock = new RebootLock();
    const entries = await EntryLog.open({
      path: dataDir,
      folds: [decider, lock],
      onFailure: (failure) => {
        if (failure === undefined) log.info("the log of the update server takes writes again");
        else
          log.error("the log of the update server takes no writes: nobody is given an update", {
            error: describeError(failure),
          });
      },
      onSnapshotFailure: (error) =>
        log.warn("no snapshot of the update server's log", { error: describeError(error) }),
    });
    let server: UpdateServer | undefined;
    try {
      server = new UpdateServer(options, { decider, entries, lock });
      server.#port = await server.#endpoint.listen(listen.port, listen.host).catch((cause: Error) => {
        throw new KeelError("KEEL-106", `the update server cannot listen: ${cause.message}`, { cause });
      });
    } catch (error) {
      await (server ?? entries)[Symbol.asyncDispose]();
      throw error;
    }
    if (entries.cutOff !== undefined)
      log.warn("the last write of the update server's log was torn and is cut off", entries.cutOff);
    log.info("the update server listens", { host: listen.host, port: server.#port });
    return server;
  }

  /** The port that was taken. */
  get port(): number {
    return this.#port;
  }

  /** What people configured; from the next request on. */
  configure(records: ConfigurationRecords): void {
    this.#records = records;
    this.#decider.configure(new Configuration(records));
  }

  overview(): UpdatesOverview {
    const { unreadable } = this.#endpoint;
    return overviewOf(this.#decider.ledger, {
      records: this.#records,
      unreadable: unreadable.list(),
    });
  }

  why(machine: string): readonly UpdateWhy[] {
    return whyOf(this.#decider.ledger, machine, this.#options.clock.wall());
  }

  machines(application: string, page: { readonly from: number; readonly most: number }): UpdateMachinesPage {
    return machinesOf(this.#decider.ledger, { application, ...page, nowMs: this.#options.clock.wall() });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for (;;) {
      await clock.sleep(SWEEP_MS, signal);
      // Without the groups' policy it is not known what an end counts for.
      if (this.#records === undefined || !this.#entries.isWritable) continue;
      try {
        await this.#entries.append(this.#decider.kind, this.#decider.sweep(clock.wall()));
      } catch (error) {
        log.warn("grants that ran out could not be freed", { error: describeError(error) });
      }
    }
  }
}

// An API on a socket and a port of its own, over a store in memory, and ways to ask it.
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApi } from "../../src/api/api.ts";
import type { Api, ApiOptions } from "../../src/api/api.ts";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfiguration } from "../../src/base/configuration.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { systemRandom } from "../../src/base/random.ts";
import { keys } from "../../src/model/keys.ts";
import { machineCodec, memberCodec } from "../../src/model/machine.ts";
import { scheduleCodec, statusCodec } from "../../src/model/schedule.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import { BodyCache } from "../../src/registry/body-cache.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { StoreClient } from "../../src/registry/store-client.ts";
import { machineId, machineRecord, orderRecord, statusRecord } from "../registry/records.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The body as JSON. */
  readonly json: any;
}

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  /** Over TCP, where only reading is allowed. */
  readonly port?: number;
  /** Over another socket than the API's own. */
  readonly socket?: string;
}

export interface RunningApi extends AsyncDisposable {
  readonly api: Api;
  readonly store: SimulatedStore;
  readonly folder: string;
  readonly metrics: Metrics;
  ask(ask: Ask): Promise<Answer>;
  /** The answer as it starts, for streams. */
  open(ask: Ask): Promise<IncomingMessage>;
  operate(intent: unknown, confirm?: unknown): Promise<Answer>;
  put(key: string, value: string): void;
}

export async function runApi(
  options: Partial<ApiOptions> & {
    readonly dashboard?: string;
    readonly client?: StoreClient;
    /** fleet's doors; the socket lies in the test's folder. */
    readonly fleet?: { readonly socket?: boolean; readonly listen?: readonly unknown[] };
  } = {},
): Promise<RunningApi> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-api-"));
  const store = new SimulatedStore(systemClock);
  const client = options.client ?? store.door();
  const socket = join(folder, "api.sock");
  const configuration = parseConfiguration(
    JSON.stringify({
      cluster: "test",
      roles: ["api"],
      address: "10.0.0.1",
      store: { endpoints: ["http://127.0.0.1:1"] },
      api: {
        socket,
        listen: [{ host: "127.0.0.1", port: 0 }],
        ...(options.dashboard === undefined ? {} : { dashboard: options.dashboard }),
      },
      ...(options.fleet && {
        fleet: {
          socket: options.fleet.socket === true && join(folder, "fleet.sock"),
          listen: options.fleet.listen ?? [],
        },
      }),
      stateDir: folder,
    }),
    "test",
  );
  const metrics = new Metrics();
  const api = await startApi({
    configuration,
    machine: { id: machineId(1), name: "m1", address: "10.0.0.1", apiPort: 2390 },
    version: "0.1.0",
    store: client,
    bodies: new BodyCache(client),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    metrics,
    ...options,
  });
  const open = (ask: Ask): Promise<IncomingMessage> =>
    send(
      ask,
      ask.port === undefined ? { socketPath: ask.socket ?? socket } : { host: "127.0.0.1", port: ask.port },
    );
  const ask = async (what: Ask): Promise<Answer> => readAnswer(await open(what));
  return {
    api,
    store,
    folder,
    metrics,
    open,
    ask,
    operate: (intent, confirm) =>
      ask({
        method: "POST",
        path: "/v1/operations",
        json: { intent, ...(confirm === undefined ? {} : { confirm }) },
      }),
    put: (key, value) => void store.txn({ compare: [], write: [{ put: key, value }] }),
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function send(ask: Ask, where: RequestOptions): Promise<IncomingMessage> {
  const body = ask.json === undefined ? ask.body : JSON.stringify(ask.json);
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { ...ask.headers };
    if (ask.json !== undefined) headers["content-type"] ??= "application/json";
    const sent = httpRequest(
      { ...where, method: ask.method ?? "GET", path: ask.path, headers, agent: false },
      resolve,
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes,
    get json() {
      return JSON.parse(bytes.toString("utf8"));
    },
  };
}

/** A file as `submit` takes it. */
export function file(
  name: string,
  text = "[Service]\nExecStart=/bin/true\n",
): { name: string; body: string } {
  return { name, body: Buffer.from(text).toString("base64") };
}

/** Writes what machines and the leader would write. */
export function fill(store: SimulatedStore): {
  readonly machine: (number: number, isUp?: boolean) => void;
  readonly order: (machine: number, unit: string, changes?: Partial<ScheduleEntry>) => void;
  readonly status: (machine: number, unit: string, changes?: Partial<UnitStatus>) => void;
} {
  const put = (key: string, value: string): void =>
    void store.txn({ compare: [], write: [{ put: key, value }] });
  return {
    machine(number, isUp = true) {
      const { id, name, address, apiPort, since } = machineRecord(number);
      put(keys.member(id), memberCodec.encode({ id, name, address, apiPort, joined: since }));
      if (isUp) put(keys.machine(id), machineCodec.encode(machineRecord(number)));
      else store.txn({ compare: [], write: [{ delete: keys.machine(id) }] });
    },
    order: (machine, unit, changes) =>
      put(keys.schedule(machineId(machine), unit), scheduleCodec.encode(orderRecord(unit, changes))),
    status: (machine, unit, changes) =>
      put(keys.status(machineId(machine), unit), statusCodec.encode(statusRecord(unit, changes))),
  };
}

/** One server-sent event. */
export interface ReceivedEvent {
  readonly event: string;
  readonly id: number;
  readonly data: any;
}

/** The events of a stream, until it is destroyed. */
export async function* eventsOf(response: IncomingMessage): AsyncGenerator<ReceivedEvent> {
  let text = "";
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString("utf8");
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
      );
      text = text.slice(end + 2);
      const event = fields.get("event");
      if (event !== undefined)
        yield { event, id: Number(fields.get("id")), data: JSON.parse(fields.get("data") ?? "null") };
    }
  }
}

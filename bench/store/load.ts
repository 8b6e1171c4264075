// A load generator that costs next to nothing, so that what is measured is the server: gRPC calls on HTTP/2 frames
// made in advance. Each client has one call under way; clients share at most ten connections, as Go's would.

import { connect, type Socket } from "node:net";

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;
const MOST_CONNECTIONS = 10;

export interface Load {
  readonly address: { readonly host: string; readonly port: number };
  /** "/service/method" */
  readonly path: string;
  /** The request message of the n-th call. */
  readonly request: (call: number) => Uint8Array;
  readonly clients: number;
  readonly milliseconds: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Calls as fast as the server answers. Throws if it refuses one. */
export async function load(options: Load): Promise<LoadResult> {
  const latencies: number[] = [];
  const began = performance.now();
  const until = began + options.milliseconds;
  let calls = 0;
  const count = Math.min(options.clients, MOST_CONNECTIONS);
  const connections = Array.from({ length: count }, async (_, place) => {
    const clients = Math.floor((options.clients + place) / count);
    const connection = await Connection.open(options.address, options.path);
    await connection.run(clients, {
      next: () => (performance.now() < until ? options.request(calls++) : undefined),
      took: (milliseconds) => latencies.push(milliseconds),
    });
  });
  await Promise.all(connections);
  const seconds = (performance.now() - began) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? 0;
  return { calls: latencies.length, perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99) };
}

interface Drive {
  /** The next request, or undefined when it is over. */
  next(): Uint8Array | undefined;
  took(milliseconds: number): void;
}

class Connection {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #authority: string;
  readonly #began = new Map<number, number>();
  readonly #answered = new Set<number>();
  #stream = 1;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, path: string, authority: string) {
    this.#socket = socket;
    this.#path = path;
    this.#authority = authority;
  }

  static async open({ host, port }: Load["address"], path: string): Promise<Connection> {
    const socket = connect({ host, port, noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const connection = new Connection(socket, path, `${host}:${port}`);
    const window = Buffer.alloc(4);
    window.writeUInt32BE(2 ** 31 - 1 - 65_535);
    const settings = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(frame(FRAME.settings, 0, { stream: 0, payload: settings }));
    socket.write(frame(FRAME.windowUpdate, 0, { stream: 0, payload: window }));
    return connection;
  }

  /** Keeps `clients` calls under way until there is no next request. */
  run(clients: number, drive: Drive): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        this.#socket.destroy();
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#socket.on("error", end);
      this.#socket.on("data", (bytes: Buffer) => {
        try {
          this.#take(bytes, drive);
          if (this.#began.size === 0) end();
        } catch (error) {
          end(error as Error);
        }
      });
      for (let client = 0; client < clients; client++) this.#call(drive);
    });
  }

  #call(drive: Drive): void {
    const request = drive.next();
    if (request === undefined) return;
    const stream = this.#stream;
    this.#stream += 2;
    this.#began.set(stream, performance.now());
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(request.length, 1);
    const data = frame(FRAME.data, FLAG.endStream, { stream, payload: Buffer.concat([prefix, request]) });
    const headers = frame(FRAME.headers, FLAG.endHeaders, { stream, payload: this.#headers(stream === 1) });
    this.#socket.write(Buffer.concat([headers, data]));
  }

  /** HPACK: everything is put into the table by the first request and named by index after that. */
  #headers(isFirst: boolean): Buffer {
    if (!isFirst) return Buffer.from([0x83, 0x86, 0xc1, 0xc0, 0xbf, 0xbe]);
    const text = (value: string): string => String.fromCharCode(value.length) + value;
    const path = `\x44${text(this.#path)}`;
    const authority = `\x41${text(this.#authority)}`;
    const type = `\x5f${text("application/grpc")}`;
    const te = `\x40${text("te")}${text("trailers")}`;
    return Buffer.from(`\x83\x86${path}${authority}${type}${te}`, "latin1");
  }

  #take(bytes: Buffer, drive: Drive): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (at + 9 <= all.length) {
      const end = at + 9 + all.readUIntBE(at, 3);
      if (end > all.length) break;
      this.#frame(all.subarray(at, end), drive);
      at = end;
    }
    this.#rest = all.subarray(at);
  }

  #frame(bytes: Buffer, drive: Drive): void {
    const type = bytes[3];
    const flags = bytes[4] as number;
    const stream = bytes.readUInt32BE(5);
    if (type === FRAME.settings && (flags & FLAG.ack) === 0) {
      this.#socket.write(frame(FRAME.settings, FLAG.ack, { stream: 0, payload: Buffer.alloc(0) }));
    } else if (type === FRAME.ping && (flags & FLAG.ack) === 0) {
      this.#socket.write(frame(FRAME.ping, FLAG.ack, { stream: 0, payload: bytes.subarray(9) }));
    } else if (type === FRAME.goAway || type === FRAME.reset) {
      throw new Error("the server ended the connection or a call");
    } else if (type === FRAME.data) {
      this.#answered.add(stream);
    }
    if ((type !== FRAME.data && type !== FRAME.headers) || (flags & FLAG.endStream) === 0) return;
    if (!this.#answered.delete(stream)) throw new Error("the server refused a call");
    drive.took(performance.now() - (this.#began.get(stream) ?? 0));
    this.#began.delete(stream);
    this.#call(drive);
  }
}

function frame(
  type: number,
  flags: number,
  { stream, payload }: { readonly stream: number; readonly payload: Uint8Array },
): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

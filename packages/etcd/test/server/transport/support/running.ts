// A server in a scratch directory, and gRPC calls to it over node:http2.
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type ClientHttp2Session, type SecureClientSessionOptions } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EtcdServer, type EtcdServerOptions } from "../../../../src/server/index.ts";

export interface Running extends AsyncDisposable {
  readonly server: EtcdServer;
  readonly folder: string;
  readonly port: number;
  readonly url: string;
}

export async function scratch(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-transport-"));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

export async function running(options: Partial<EtcdServerOptions> = {}): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const { folder } = stack.use(await scratch());
  const dataDir = join(folder, "data");
  const server = stack.use(
    await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }], ...options }),
  );
  const parts = stack.move();
  const { port, url } = server.addresses[0] ?? { port: 0, url: "" };
  return { server, folder, port, url, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

export interface Answer {
  readonly status: string;
  readonly message: string;
  readonly body: Buffer;
}

/** An HTTP/2 session of node's that ends with its scope. */
export function session(
  url: string,
  options: SecureClientSessionOptions = {},
): Disposable & ClientHttp2Session {
  const client = connect(url, options);
  client.on("error", () => undefined);
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}

/** One gRPC call; `body` is sent as it is. Rejects if the call ends without a status. */
export function call(
  client: ClientHttp2Session,
  path: string,
  body: Buffer = framed(),
  fields: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let status: { status: string; message: string } | undefined;
    const take = (headers: Record<string, unknown>): void => {
      if (headers["grpc-status"] === undefined) return;
      status = {
        status: headers["grpc-status"] as string,
        message: decodeURIComponent((headers["grpc-message"] as string | undefined) ?? ""),
      };
    };
    const stream = client.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...fields,
    });
    stream.on("response", take).on("trailers", take);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.once("error", reject);
    stream.once("close", () => {
      if (status === undefined) reject(new Error("the call ended without a status"));
      else resolve({ ...status, body: Buffer.concat(pieces) });
    });
    stream.end(body);
  });
}

/** A gRPC message with its prefix. */
export function framed(body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

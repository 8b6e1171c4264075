// A server for one test, and plain HTTP to it.
import { mkdtemp, rm } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EtcdServer, type EtcdServerOptions } from "../../src/server/index.ts";

export interface TestServer extends AsyncDisposable {
  readonly server: EtcdServer;
  readonly port: number;
}

export async function testServer(options: Partial<EtcdServerOptions> = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-http-"));
  const server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }], ...options });
  return {
    server,
    port: server.addresses[0]?.port ?? 0,
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export interface Asked {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks once, on a connection of its own. */
export async function ask({ port, path, method = "GET", headers = {}, body = "" }: Asked): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

export function post(port: number, path: string, body: unknown): Promise<Answer> {
  return ask({ port, path, method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
}

export const base64 = (text: string): string => Buffer.from(text).toString("base64");

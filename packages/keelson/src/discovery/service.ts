// The discovery service over HTTP: tokens are made at /new, and below a token is the keys API of etcd v2, as far as
// `etcd --discovery` needs it. keeld runs it over the cluster's store, `keel discovery serve` over any.
// Invariants: no answer lists tokens, only who knows one sees it; whatever comes in is bounded.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KeysHandler, KeysRefusal } from "@keelson/etcd/rest";
import type { KeysRequest, KeysStore } from "@keelson/etcd/rest";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { frontPage } from "./front-page.ts";
import { Places, RateLimit } from "./quotas.ts";
import { discoveryRoot, isToken, Tokens } from "./tokens.ts";
import type { TokenLimits, TokenState } from "./tokens.ts";

export interface DiscoveryLimits extends TokenLimits {
  /** Tokens that one address may make in a minute. 20. */
  readonly newPerMinute?: number;
  /** Bytes of a form. 16 KiB. */
  readonly maxBodyBytes?: number;
  /** Requests that wait at a time. 2000. */
  readonly maxWaits?: number;
  /** Of these from one address. 200. */
  readonly maxWaitsPerAddress?: number;
  /** Connections at a time. 4000. */
  readonly maxConnections?: number;
}

export interface DiscoveryOptions {
  readonly keys: KeysStore;
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  /** What the URLs of tokens begin with: `http://host:port`. By default what the client called. */
  readonly publicUrl?: string | undefined;
  readonly limits?: DiscoveryLimits;
  readonly clock: Clock;
  readonly log: Log;
}

const defaults = {
  newPerMinute: 20,
  maxBodyBytes: 16 << 10,
  maxWaits: 2000,
  maxWaitsPerAddress: 200,
  maxConnections: 4000,
};
const memberPattern = /^[A-Za-z0-9._-]{1,64}$/;
const hostPattern = /^[A-Za-z0-9.:[\]-]{1,255}$/;
const text = "text/plain; charset=utf-8";

/** A running service. */
export class DiscoveryService implements AsyncDisposable {
  readonly #options: DiscoveryOptions;
  readonly #tokens: Tokens;
  readonly #keys: KeysHandler;
  readonly #servers: Server[] = [];
  readonly #rate: RateLimit;
  readonly #waits: Places;

  private constructor(options: DiscoveryOptions) {
    const limits = { ...defaults, ...options.limits };
    this.#options = options;
    this.#tokens = new Tokens(options.keys, options.limits);
    this.#rate = new RateLimit(limits.newPerMinute, options.clock);
    this.#waits = new Places(limits.maxWaitsPerAddress);
    this.#keys = new KeysHandler(options.keys, {
      root: discoveryRoot,
      wall: () => options.clock.wall(),
      randomId: () => randomBytes(8).readBigUInt64BE(),
      limits: { maxBodyBytes: limits.maxBodyBytes, maxWatchers: limits.maxWaits },
      // A member that is told of lost history gives up for good.
      bridgesCompaction: true,
      admit: (request, response) => this.#admit(request, response),
    });
  }

  /** Listens. Rejects with KEEL-106 when an address cannot be used; nothing listens then. */
  static async start(options: DiscoveryOptions): Promise<DiscoveryService> {
    const service = new DiscoveryService(options);
    try {
      for (const address of options.listen) await service.#listen(address);
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    return service;
  }

  /** Where it listens, with the ports that it got. */
  get listening(): readonly { readonly host: string; readonly port: number }[] {
    return this.#servers.map((server) => {
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port };
    });
  }

  /** What the URLs of tokens begin with when nobody has called. */
  get url(): string {
    const { publicUrl } = this.#options;
    if (publicUrl !== undefined) return publicUrl.replace(/\/$/, "");
    const { host = "127.0.0.1", port = 0 } = this.listening[0] ?? {};
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** A token for a cluster of `size` members, and its URL. Rejects with KEEL-104 or KEEL-605. */
  async mint(size: number): Promise<{ readonly token: string; readonly url: string }> {
    const token = await this.#tokens.mint(size);
    return { token, url: `${this.url}/${token}` };
  }

  /** What is known of a token; undefined if there is none. */
  show(token: string): Promise<TokenState | undefined> {
    return this.#tokens.show(token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keys[Symbol.dispose]();
    await Promise.all(
      this.#servers.map((server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        return closed;
      }),
    );
  }

  async #listen({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    const server = createServer({ requestTimeout: 30_000 }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#options.log.error("a request of the discovery service failed", { error: describeError(error) });
        response.destroy();
      });
    });
    server.maxConnections = this.#options.limits?.maxConnections ?? defaults.maxConnections;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        reject(new KeelError("KEEL-106", `the discovery service cannot listen: ${cause.message}`, { cause }));
      });
      server.listen({ host, port }, resolve);
    });
    this.#servers.push(server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "/"] = (request.url ?? "/").split("?");
    if (path === "/new" || path === "/new/") return this.#new(request, response);
    if (path === "/") {
      request.resume();
      return send(response, 200, frontPage(this.#urlFor(request)));
    }
    if (isToken(path.split("/")[1] ?? "")) return this.#keys.serve(request, response, path);
    request.resume();
    send(response, 404, "404 page not found\n");
  }

  async #new(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    if (!["GET", "PUT", "POST"].includes(request.method ?? "")) {
      response.setHeader("Allow", "GET,PUT,POST");
      return send(response, 405, "Method Not Allowed\n");
    }
    const address = request.socket.remoteAddress ?? "";
    if (!this.#rate.take(address)) {
      response.setHeader("Retry-After", "60");
      return send(response, 429, "too many tokens from this address: try again in a minute\n");
    }
    const size = new URL(request.url ?? "/", "http://service").searchParams.get("size") ?? "3";
    try {
      if (!/^\d{1,6}$/.test(size))
        throw new KeelError("KEEL-104", `"${size.slice(0, 40)}" is no size of a cluster`);
      const token = await this.#tokens.mint(Number(size));
      this.#options.log.info("made a discovery token", { size: Number(size), address });
      send(response, 200, `${this.#urlFor(request)}/${token}`);
    } catch (error) {
      if (!(error instanceof KeelError)) this.#options.log.warn("no token", { error: describeError(error) });
      const status = error instanceof KeelError ? (error.code === "KEEL-605" ? 507 : 400) : 503;
      send(response, status, `${describeError(error)}\n`);
    }
  }

  /** Lets pass what `etcd --discovery` asks for: its own registration, and reading. */
  async #admit(request: KeysRequest, response: ServerResponse): Promise<void> {
    const { method, path } = request;
    const [, token = "", ...rest] = path.split("/");
    if (request.wait) this.#wait(response);
    if (method === "GET") return;
    const [member = ""] = rest;
    if (method === "POST" || rest.length !== 1 || !memberPattern.test(member) || member.startsWith("_"))
      throw new KeysRefusal("invalidField", "only members of the cluster to be can be written");
    if (method === "DELETE") return;
    if (request.dir || request.prevExist !== false)
      throw new KeysRefusal("invalidField", "a member is created once: prevExist=false");
    const state = await this.#tokens.show(token);
    // A token that nobody made here is none: its directory must not come to be.
    if (state === undefined) throw new KeysRefusal("keyNotFound", `/${token}`);
    if (state.members.length >= 2 * state.size + 10)
      throw new KeysRefusal("invalidField", "too many members have come already");
  }

  #wait(response: ServerResponse): void {
    const leave = this.#waits.take(response.req.socket.remoteAddress ?? "");
    if (leave === undefined)
      throw new KeysRefusal("internal", "too many requests of this address wait already");
    response.once("close", leave);
  }

  #urlFor({ headers }: IncomingMessage): string {
    const { host } = headers;
    if (this.#options.publicUrl !== undefined || host === undefined || !hostPattern.test(host))
      return this.url;
    return `http://${host}`;
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    "Content-Type": text,
    "Content-Length": Buffer.byteLength(body),
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}

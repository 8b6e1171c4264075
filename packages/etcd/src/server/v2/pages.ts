// Everything below /v2/: the keys API, and what etcd shows beside it of its members and figures.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { KeysStore } from "../../rest/keys-store.ts";
import { cleanPath } from "../../rest/paths.ts";
import { percentDecode } from "../../rest/form.ts";
import { KeysHandler, refuse } from "../../rest/handler.ts";
import { goJson, KeysRefusal } from "../../rest/refusal.ts";
import type { LeaseKeeper } from "../lease-keeper.ts";
import type { Store } from "../store.ts";
import { send, type HttpHandler, type HttpTable } from "../transport/http.ts";
import type { WatchHub } from "../watch/hub.ts";
import type { BasicAccess } from "./basic-access.ts";
import { EmbeddedKeysStore } from "./embedded-keys-store.ts";

export interface V2Options {
  readonly store: Store;
  readonly leases: LeaseKeeper;
  readonly hub: WatchHub;
  readonly mostOps: number;
  /** A random unsigned integer of 64 bits. */
  readonly randomId: () => bigint;
  readonly name: string;
  readonly clientUrls: () => readonly string[];
  /** Under which other members would find this one. */
  readonly peerUrls: () => readonly string[];
  readonly access: BasicAccess;
}

const JSON_TYPE = "application/json";

/** `/v2/keys`, `/v2/members`, `/v2/machines`, `/v2/stats`, and a refusal for `/v2/auth`. */
export class V2Pages implements Disposable {
  /** What the keys API sees of the store. */
  readonly store: KeysStore;
  readonly #options: V2Options;
  readonly #keys: KeysHandler;
  readonly #started = new Date();

  constructor(options: V2Options) {
    this.#options = options;
    this.store = new EmbeddedKeysStore(options);
    const keys = { wall: () => Date.now(), randomId: options.randomId };
    const { store } = this;
    this.#keys = new KeysHandler(store, {
      ...keys,
      admit: async (request, response) => {
        const { access } = options;
        if (!access.isAsked) return {};
        return access.visitor(await access.user(response.req), request, { store, options: keys });
      },
    });
  }

  get table(): HttpTable {
    const handler: HttpHandler = (request, response, url) => this.#serve(request, response, url);
    return new Map([["/v2/", handler]]);
  }

  [Symbol.dispose](): void {
    this.#keys[Symbol.dispose]();
  }

  #serve(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const target = request.url ?? "/";
    const raw = target.startsWith("/") ? (target.split("?")[0] ?? "/") : url.pathname;
    if (/%(?![0-9A-Fa-f]{2})/.test(raw)) return send(response, 400, "400 Bad Request");
    const path = percentDecode(raw);
    const clean = cleanPath(path) + (path.endsWith("/") ? "/" : "");
    if (clean !== path) {
      request.resume();
      return redirect(response, encodeURI(clean) + url.search);
    }
    const isKeys = clean === "/v2/keys" || clean.startsWith("/v2/keys/");
    if (isKeys) return void this.#keys.serve(request, response, raw.slice("/v2/keys".length));
    request.resume();
    this.#isOpen(clean, request).then(
      (isOpen) => {
        if (isOpen) this.#page(clean, request.method ?? "GET", response);
        else message(response, 401, "Insufficient credentials");
      },
      (error: unknown) => refuse(response, error),
    );
  }

  /** While users are asked for, members are shown to root only, as etcd has it; figures to everybody. */
  async #isOpen(path: string, request: IncomingMessage): Promise<boolean> {
    const { access } = this.#options;
    if (!access.isAsked || !path.startsWith("/v2/members")) return true;
    try {
      return access.isRoot(await access.user(request));
    } catch (error) {
      if (error instanceof KeysRefusal) return false;
      throw error;
    }
  }

  #page(path: string, method: string, response: ServerResponse): void {
    const page = path.slice("/v2/".length);
    if (page === "members" || page.startsWith("members/")) return this.#members(page, method, response);
    if (page === "auth" || page.startsWith("auth/")) {
      return message(response, 501, "users of the v2 API are not supported; v3 has its own");
    }
    const body = this.#figures(page);
    if (body === undefined) return send(response, 404, "404 page not found\n");
    if (method !== "GET" && !(method === "HEAD" && page === "machines"))
      return notAllowed(response, page === "machines" ? "GET,HEAD" : "GET");
    response.writeHead(200, {
      "Content-Type": typeof body === "string" ? "text/plain; charset=utf-8" : JSON_TYPE,
    });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  #figures(page: string): string | object | undefined {
    const { store, name, clientUrls } = this.#options;
    const id = store.memberId.toString(16);
    const startTime = this.#started.toISOString();
    switch (page) {
      case "machines":
        return clientUrls().join(", ");
      case "stats/self": {
        const uptime = `${(Date.now() - this.#started.getTime()) / 1000}s`;
        const leaderInfo = { leader: id, uptime, startTime };
        const counts = { recvAppendRequestCnt: 0, sendAppendRequestCnt: 0 };
        return { name, id, state: "StateLeader", startTime, leaderInfo, ...counts };
      }
      case "stats/leader":
        return { leader: id, followers: {} };
      case "stats/store":
        return {
          ...this.#keys.counts,
          expireCount: this.#options.leases.counts.expired,
          watchers: this.#keys.watchers,
        };
      default:
        return undefined;
    }
  }

  #members(page: string, method: string, response: ServerResponse): void {
    const { store, name, clientUrls, peerUrls } = this.#options;
    const member = { id: store.memberId.toString(16), name, peerURLs: peerUrls(), clientURLs: clientUrls() };
    response.setHeader("X-Etcd-Cluster-Id", store.clusterId.toString(16));
    const id = page.slice("members/".length);
    switch (method) {
      case "GET": {
        const body = id === "" ? { members: [member] } : id === "leader" ? member : undefined;
        if (body === undefined) return message(response, 404, "Not found");
        response.writeHead(200, { "Content-Type": JSON_TYPE });
        return void response.end(goJson(body));
      }
      case "PUT":
      case "DELETE":
        if (id === "") return send(response, 405, "Method Not Allowed\n");
        if (id !== member.id) return message(response, 404, `No such member: ${id}`);
        return message(response, 501, "this store is a cluster of one: its member cannot be changed");
      case "POST":
        return message(response, 501, "this store is a cluster of one: it takes no members");
      default:
        return notAllowed(response, "GET,POST,DELETE,PUT");
    }
  }
}

/** As Go's net/http sends a client to the clean path. */
function redirect(response: ServerResponse, location: string): void {
  const { method } = response.req;
  if (method !== "GET" && method !== "HEAD")
    return void response.writeHead(301, { Location: location }).end();
  const escaped = location.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  response.writeHead(301, { Location: location, "Content-Type": "text/html; charset=utf-8" });
  response.end(`<a href="${escaped}">Moved Permanently</a>.\n\n`);
}

function message(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": JSON_TYPE });
  response.end(goJson({ message: text }).trimEnd());
}

function notAllowed(response: ServerResponse, allow: string): void {
  response.setHeader("Allow", allow);
  send(response, 405, "Method Not Allowed\n");
}

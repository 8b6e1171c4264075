// The tokens of the discovery service: each is a directory of the keys API with a time to live, that holds the
// size of the cluster to be and, one key for each, the members that have come (docs/protocols/discovery.md).
import { randomBytes } from "node:crypto";
import { Keys, KeysRefusal, readRequest, toText } from "@keelson/etcd/rest";
import type { KeysAnswer, KeysMethod, KeysNode, KeysStore } from "@keelson/etcd/rest";
import { KeelError } from "../base/errors.ts";

/** Where the tokens lie in the store. */
export const discoveryRoot = "/keelson/discovery";

/** Largest cluster that a token can be made for. */
export const mostSize = 99;
const defaultSeconds = 86_400;
const defaultTokens = 1000;

export interface TokenLimits {
  /** How long a token lives, in seconds. A day. */
  readonly tokenSeconds?: number;
  /** Tokens at a time. 1000. */
  readonly maxTokens?: number;
}

/** What is known of a token. */
export interface TokenState {
  readonly token: string;
  readonly size: number;
  /** In the order in which they came; those after the first `size` are not of the cluster. */
  readonly members: readonly TokenMember[];
  /** Seconds until the token is forgotten. */
  readonly secondsLeft: number | undefined;
}

export interface TokenMember {
  /** The member's identity, hexadecimal. */
  readonly id: string;
  readonly name: string;
  readonly peerUrls: readonly string[];
}

const tokenPattern = /^[0-9a-f]{32}$/;

export const isToken = (text: string): boolean => tokenPattern.test(text);

export class Tokens {
  readonly #keys: Keys;
  readonly #seconds: number;
  readonly #most: number;

  constructor(store: KeysStore, limits: TokenLimits = {}) {
    const randomId = (): bigint => randomBytes(8).readBigUInt64BE();
    this.#keys = new Keys(store, { root: discoveryRoot, wall: () => Date.now(), randomId });
    this.#seconds = limits.tokenSeconds ?? defaultSeconds;
    this.#most = limits.maxTokens ?? defaultTokens;
  }

  /** Makes a token for a cluster of `size` members. Rejects with KEEL-104 for the size, KEEL-605 for too many. */
  async mint(size: number): Promise<string> {
    if (!Number.isInteger(size) || size < 1 || size > mostSize)
      throw new KeelError("KEEL-104", `a cluster has 1 to ${mostSize} members`);
    if ((await this.#count()) >= this.#most) {
      throw new KeelError("KEEL-605", `there are ${this.#most} discovery tokens already`, {
        hint: "The oldest are forgotten first: try again later, or let tokens live for a shorter time.",
      });
    }
    const token = randomBytes(16).toString("hex");
    await this.#call("PUT", `/${token}`, { dir: "true", ttl: String(this.#seconds), prevExist: "false" });
    await this.#call("PUT", `/${token}/_config/size`, { value: String(size) });
    return token;
  }

  /** What is known of a token; undefined if there is none. */
  async show(token: string): Promise<TokenState | undefined> {
    if (!isToken(token)) return undefined;
    try {
      const { event } = await this.#call("GET", `/${token}`);
      const size = await this.#call("GET", `/${token}/_config/size`);
      return {
        token,
        size: Number(textOf(size.event.node)),
        members: membersOf(event.node.nodes ?? []),
        secondsLeft: event.node.expires?.ttl,
      };
    } catch (error) {
      if (error instanceof KeysRefusal && error.refused === "keyNotFound") return undefined;
      throw error;
    }
  }

  async #count(): Promise<number> {
    try {
      const { event } = await this.#call("GET", "/");
      return event.node.nodes?.length ?? 0;
    } catch (error) {
      if (error instanceof KeysRefusal && error.refused === "keyNotFound") return 0;
      throw error;
    }
  }

  #call(method: KeysMethod, path: string, form: Readonly<Record<string, string>> = {}): Promise<KeysAnswer> {
    const fields = new Map(Object.entries(form).map(([name, value]) => [name, [value]]));
    return this.#keys.answer(readRequest(method, path, fields));
  }
}

/** The members among the nodes of a token, first come first. */
export function membersOf(nodes: readonly KeysNode[]): readonly TokenMember[] {
  return nodes
    .filter(({ dir }) => !dir)
    .toSorted((a, b) => a.createdIndex - b.createdIndex)
    .map((node) => readMember(toText(node.path.slice(node.path.lastIndexOf("/") + 1)), textOf(node)));
}

/** A member as it wrote itself down: `name=URL`, comma between several. */
export function readMember(id: string, value: string): TokenMember {
  const urls = value.split(",").map((part) => {
    const equals = part.indexOf("=");
    return equals < 0
      ? { name: "", url: part }
      : { name: part.slice(0, equals), url: part.slice(equals + 1) };
  });
  return { id, name: urls[0]?.name ?? "", peerUrls: urls.map(({ url }) => url) };
}

function textOf({ value }: KeysNode): string {
  return Buffer.from(value ?? new Uint8Array()).toString("utf8");
}

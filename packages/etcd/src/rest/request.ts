import type { Form } from "./form.ts";
import { ancestors, cleanPath, toBytes } from "./paths.ts";
import { KeysRefusal, type KeysErrorName } from "./refusal.ts";

/** Longest path in bytes. */
export const MOST_PATH_BYTES = 4096;
/** Most parts of a path: each may need two conditions of one transaction. */
export const MOST_PARTS = 40;
const GREATEST_TTL = 9_000_000_000n;

export type KeysMethod = "GET" | "PUT" | "POST" | "DELETE";

/** A request of the keys API, checked. Fields are named as the API's. */
export interface KeysRequest {
  readonly method: KeysMethod;
  /** Byte string; "" is the root. */
  readonly path: string;
  readonly value: string;
  readonly dir: boolean;
  readonly recursive: boolean;
  readonly sorted: boolean;
  readonly wait: boolean;
  /** 0: from now on. */
  readonly waitIndex: bigint;
  readonly stream: boolean;
  /** Undefined: the node need not be there, nor be absent. */
  readonly prevExist: boolean | undefined;
  /** Empty: any. */
  readonly prevValue: string;
  /** 0: any. */
  readonly prevIndex: bigint;
  /** Seconds; undefined: for ever. */
  readonly ttl: number | undefined;
  readonly refresh: boolean;
  readonly noValueOnSuccess: boolean;
}

/** Reads a request. Refuses with etcd's words, and in its order. `path` is decoded text. */
export function readRequest(method: KeysMethod, path: string, form: Form): KeysRequest {
  const prevIndex = uint64(form, "prevIndex", "indexNotNumber");
  const waitIndex = uint64(form, "waitIndex", "indexNotNumber");
  const recursive = bool(form, "recursive");
  const sorted = bool(form, "sorted");
  const wait = bool(form, "wait");
  const dir = bool(form, "dir");
  bool(form, "quorum");
  const stream = bool(form, "stream");
  if (wait && method !== "GET")
    throw new KeysRefusal("invalidField", '"wait" can only be used with GET requests');
  const prevValue = first(form, "prevValue");
  if (prevValue === "") throw new KeysRefusal("previousValueRequired", '"prevValue" cannot be empty');
  const noValueOnSuccess = bool(form, "noValueOnSuccess");
  const ttl = timeToLive(form);
  const prevExist = form.has("prevExist") ? bool(form, "prevExist", "prevExist") : undefined;
  const refresh = bool(form, "refresh", "refresh");
  const value = first(form, "value") ?? "";
  if (refresh && value !== "") throw new KeysRefusal("valueOnRefresh", "A value was provided on a refresh");
  if (refresh && ttl === undefined) throw new KeysRefusal("ttlRequired", "No TTL value set");
  return {
    method,
    path: checkedPath(path),
    value,
    dir,
    recursive,
    sorted,
    wait,
    waitIndex,
    stream,
    prevExist,
    prevValue: prevValue ?? "",
    prevIndex,
    ttl,
    refresh,
    noValueOnSuccess,
  };
}

function checkedPath(text: string): string {
  const path = toBytes(cleanPath(text));
  if (path.length > MOST_PATH_BYTES)
    throw new KeysRefusal("invalidField", `a key has at most ${MOST_PATH_BYTES} bytes`);
  if (ancestors(path).length >= MOST_PARTS)
    throw new KeysRefusal("invalidField", `a key has at most ${MOST_PARTS} parts`);
  return path;
}

function first(form: Form, name: string): string | undefined {
  return form.get(name)?.[0];
}

function uint64(form: Form, name: string, refused: KeysErrorName): bigint {
  const text = first(form, name);
  if (text === undefined) return 0n;
  if (!/^\d{1,40}$/.test(text) || BigInt(text) >= 1n << 64n)
    throw new KeysRefusal(refused, `invalid value for "${name}"`);
  return BigInt(text);
}

function timeToLive(form: Form): number | undefined {
  if ((first(form, "ttl") ?? "") === "") return undefined;
  const ttl = uint64(form, "ttl", "ttlNotNumber");
  if (ttl > GREATEST_TTL) throw new KeysRefusal("ttlNotNumber", `"ttl" is at most ${GREATEST_TTL} seconds`);
  return Number(ttl);
}

const truths: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true])),
  ...Object.fromEntries(["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false])),
};

/** `named`: how a refusal calls the field; etcd quotes most names. */
function bool(form: Form, name: string, named = `"${name}"`): boolean {
  const text = first(form, name);
  if (text === undefined) return false;
  const truth = Object.hasOwn(truths, text) ? truths[text] : undefined;
  if (truth === undefined) throw new KeysRefusal("invalidField", `invalid value for ${named}`);
  return truth;
}

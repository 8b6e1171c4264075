// Random calls of the keys API, from a seed: few paths, so that they meet.
import type { V2Call } from "./v2-client.ts";

const NAMES = ["a", "b", "c", "_h", "ü x"];
const VALUES = ["one", "two", "", "<&>\u2028", "three=3&4", "ä\b\f\n\0"];
/** Names of fields that are asked for with values that make no sense, now and then. */
const GARBAGE = ["maybe", "-1", "1e3", "", "18446744073709551616", "TRUE", "f"];

/** A call, and what in it is an index: that differs from store to store. */
export interface RandomCall {
  readonly method: string;
  readonly path: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Index of the field of this name, counted from the store's first. */
  readonly relative: Readonly<Record<string, number>>;
}

export class V2Histories {
  readonly #random: () => number;
  #inOrder: string[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  /** `index`: the last one, counted from the store's first. */
  next(index: number): RandomCall {
    const dice = this.#random();
    if (dice < 0.25) return this.#get();
    if (dice < 0.75) return this.#put(index);
    if (dice < 0.83)
      return this.#call("POST", this.path(), { ...this.#value(), ...this.#maybe(0.15, { dir: "true" }) });
    if (dice < 0.86)
      return this.#call(this.#pick(["PUT", "POST", "DELETE", "GET"]), this.path(), this.#nonsense());
    return this.#delete(index);
  }

  /** A path, most often of one or two parts. */
  path(): string {
    if (this.#random() < 0.03) return "";
    if (this.#inOrder.length > 0 && this.#random() < 0.1) return this.#pick(this.#inOrder);
    const depth = this.#random() < 0.5 ? 1 : this.#random() < 0.7 ? 2 : 3;
    return Array.from({ length: depth }, () => `/${encodeURIComponent(this.#pick(NAMES))}`).join("");
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #get(): RandomCall {
    return this.#call("GET", this.path(), {
      ...this.#maybe(0.5, { recursive: "true" }),
      ...this.#maybe(0.2, { quorum: "true" }),
      sorted: "true",
    });
  }

  #put(index: number): RandomCall {
    const fields = {
      ...this.#maybe(0.85, this.#value()),
      ...this.#maybe(0.12, { dir: "true" }),
      ...this.#maybe(0.15, { ttl: this.#pick(["1000", "2000", "3000"]) }),
      ...this.#maybe(0.06, { refresh: "true", ttl: "4000", value: "" }),
      ...this.#maybe(0.3, { prevExist: this.#pick(["true", "false"]) }),
      ...this.#maybe(0.12, { prevValue: this.#pick(["one", "two", "none"]) }),
      // Never with a plain set: its answer alone tells what became of createdIndex.
      ...this.#maybe(0.08, { noValueOnSuccess: "true", prevExist: this.#pick(["true", "false"]) }),
    };
    return { ...this.#call("PUT", this.path(), fields), relative: this.#prevIndex(index) };
  }

  #delete(index: number): RandomCall {
    const fields = {
      ...this.#maybe(0.3, { dir: "true" }),
      ...this.#maybe(0.3, { recursive: "true" }),
      ...this.#maybe(0.15, { prevValue: this.#pick(["one", "two"]) }),
    };
    return { ...this.#call("DELETE", this.path(), fields), relative: this.#prevIndex(index) };
  }

  #nonsense(): Readonly<Record<string, string>> {
    const names = [
      "ttl",
      "prevIndex",
      "waitIndex",
      "recursive",
      "dir",
      "prevExist",
      "refresh",
      "prevValue",
      "stream",
    ];
    return {
      sorted: "true",
      [this.#pick(names)]: this.#pick(GARBAGE),
      [this.#pick(names)]: this.#pick(GARBAGE),
    };
  }

  #prevIndex(index: number): Readonly<Record<string, number>> {
    if (this.#random() > 0.12) return {};
    return { prevIndex: Math.max(1, index - this.int(6)) };
  }

  #value(): Readonly<Record<string, string>> {
    return { value: this.#pick(VALUES) };
  }

  #maybe(probability: number, fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    return this.#random() < probability ? fields : {};
  }

  #call(method: string, path: string, fields: Readonly<Record<string, string>>): RandomCall {
    return { method, path, fields, relative: {} };
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T;
  }
}

/** The call for a store whose first index is `base`. */
export function callFor({ method, path, fields, relative }: RandomCall, base: number): V2Call {
  const indexes = Object.entries(relative).map(([name, value]) => [name, String(value + base)]);
  const form = new URLSearchParams({ ...fields, ...Object.fromEntries(indexes) }).toString();
  const hasForm = method === "PUT" || method === "POST";
  const query = hasForm || form === "" ? "" : `?${form}`;
  return { method, path: `/v2/keys${path}${query}`, ...(hasForm ? { form } : {}) };
}

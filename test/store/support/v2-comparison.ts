// Makes the answers of two stores comparable: indexes are counted from each store's first one, times go, and one
// difference that is documented is followed: `set` on a file that is there gives it a new createdIndex in etcd's
// v2, while etcd's v3, and so ours, goes on counting from its creation.
import type { V2Answer } from "./v2-client.ts";

interface Node {
  readonly key?: string;
  readonly value?: string;
  readonly dir?: boolean;
  readonly expiration?: string;
  readonly ttl?: number;
  readonly nodes?: readonly Node[];
  readonly modifiedIndex?: number;
  readonly createdIndex?: number;
}

export interface Body {
  readonly action?: string;
  readonly node?: Node;
  readonly prevNode?: Node;
  readonly errorCode?: number;
  readonly message?: string;
  readonly cause?: string;
  readonly index?: number;
}

export class Comparison {
  readonly #base: number;
  /** What etcd's v2 calls the creation of a key, to when it really was. */
  readonly #created = new Map<string, number>();

  /** `base`: the store's index before the first call. */
  constructor(base: number) {
    this.#base = base;
  }

  answer({ status, headers, body }: V2Answer): unknown {
    const { "x-etcd-index": index, ...others } = headers;
    const shown = index === undefined || index === "0" ? index : Number(index) - this.#base;
    return { status, headers: others, index: shown, body: body.startsWith("{") ? this.body(body) : body };
  }

  body(text: string): unknown {
    const { node, prevNode, index, cause, ...others } = JSON.parse(text) as Body;
    if (others.action === "set" && node?.dir !== true && prevNode !== undefined && prevNode.dir !== true) {
      this.#created.set(this.#place(node), this.#creation(prevNode));
    }
    return {
      ...others,
      ...(node && { node: this.#node(node) }),
      ...(prevNode && { prevNode: this.#node(prevNode) }),
      ...(cause !== undefined && {
        cause: this.#inOrder(
          cause.replace(
            /\[(\d+) != (\d+)\]/,
            (_all, a: string, b: string) => `[${Number(a) - this.#base} != ${Number(b) - this.#base}]`,
          ),
        ),
      }),
      ...(index !== undefined && { index: index === 0 ? 0 : index - this.#base }),
    };
  }

  #node(node: Node): unknown {
    const { key, expiration, ttl, nodes, modifiedIndex, createdIndex, ...others } = node;
    return {
      ...others,
      ...(key !== undefined && { key: this.#inOrder(key) }),
      expires: expiration !== undefined,
      // A second may pass between two answers; the times that are given differ by a thousand.
      ...(ttl !== undefined && { ttl: Math.round(ttl / 1000) * 1000 }),
      ...(nodes && { nodes: nodes.map((one) => this.#node(one)) }),
      ...(modifiedIndex !== undefined && { modifiedIndex: modifiedIndex - this.#base }),
      ...(createdIndex !== undefined && { createdIndex: this.#creation(node) - this.#base }),
    };
  }

  #creation(node: Node): number {
    return this.#created.get(this.#place(node)) ?? node.createdIndex ?? 0;
  }

  #place(node: Node | undefined): string {
    return `${node?.key} ${node?.createdIndex}`;
  }

  /** Names of in-order keys are indexes. */
  #inOrder(path: string): string {
    return path.replace(/\b\d{20}\b/g, (name) => `#${Number(name) - this.#base}`);
  }
}

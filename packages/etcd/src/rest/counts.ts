import type { KeysAnswer } from "./keys.ts";
import type { KeysRequest } from "./request.ts";

/** How many requests of each kind came to a good or a bad end, as `/v2/stats/store` names them. */
export class Counts {
  readonly #numbers: Record<string, number> = Object.fromEntries(
    ["gets", "sets", "delete", "update", "create", "compareAndSwap", "compareAndDelete"].flatMap((kind) => [
      [`${kind}Success`, 0],
      [`${kind}Fail`, 0],
    ]),
  );

  /** `answer` undefined: it failed. */
  add(request: KeysRequest, answer: KeysAnswer | undefined): void {
    const name = `${kindOf(request)}${answer === undefined ? "Fail" : "Success"}`;
    this.#numbers[name] = (this.#numbers[name] ?? 0) + 1;
  }

  get all(): Readonly<Record<string, number>> {
    return this.#numbers;
  }
}

function kindOf({ method, prevExist, prevIndex, prevValue }: KeysRequest): string {
  const compares = prevIndex > 0n || prevValue !== "";
  switch (method) {
    case "GET":
      return "gets";
    case "POST":
      return "create";
    case "DELETE":
      return compares ? "compareAndDelete" : "delete";
    case "PUT":
      if (prevExist === false) return "create";
      if (compares) return "compareAndSwap";
      return prevExist === true ? "update" : "sets";
  }
}

// Requests in few characters, for those who read why a test failed.

const MOST_TEXT = 20;

/** A request as JSON without what is empty, zero or false, texts cut short. */
export function brief(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner === "bigint") return inner === 0n ? undefined : Number(inner);
    if (inner === "" || inner === 0 || inner === false) return undefined;
    if (typeof inner === "string") return cut(inner, MOST_TEXT);
    const { type, data } = (inner ?? {}) as { type?: string; data?: number[] };
    if (type !== "Buffer" || data === undefined) return inner;
    return data.length === 0 ? undefined : cut(Buffer.from(data).toString("latin1"), MOST_TEXT);
  });
}

/** A text, at most so long; what is left out is counted. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} more)`;
}

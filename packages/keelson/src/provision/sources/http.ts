// Requests to what a machine's surroundings offer, bounded in time and in bytes. No proxy, no cookies; redirects only
// where they are asked for, and never from https to http.
import { request as overHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as overHttps } from "node:https";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface Request {
  readonly method?: "GET" | "PUT" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole answer. 5000. */
  readonly timeoutMs?: number;
  /** 1 MiB. */
  readonly maxBytes?: number;
  /** 0. */
  readonly redirects?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Any status is an answer. Rejects when there is none in time, or it is too large. */
export async function fetchBounded(url: string, options: Request): Promise<Answer> {
  let target = new URL(url);
  for (let left = options.redirects ?? 0; ; left--) {
    const answer = await once(target, options);
    const { location } = answer.headers;
    if (left <= 0 || location === undefined || ![301, 302, 303, 307, 308].includes(answer.status))
      return answer;
    const next = new URL(location, target);
    if (target.protocol === "https:" && next.protocol !== "https:")
      throw new Error("the server leads from https to http");
    target = next;
  }
}

function once(url: URL, options: Request): Promise<Answer> {
  const { method = "GET", headers = {}, body, timeoutMs = 5000, maxBytes = 1 << 20, signal } = options;
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return Promise.reject(new Error(`${url.protocol} is not spoken here`));
  const request = url.protocol === "https:" ? overHttps : overHttp;
  const limit = AbortSignal.timeout(Math.ceil(timeoutMs));
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(limit.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error);
    const outgoing = request(
      url,
      {
        method,
        headers: {
          "user-agent": "keelson",
          ...headers,
          ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
        },
        agent: false,
        signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on("error", fail);
        incoming.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= maxBytes) return void chunks.push(chunk);
          reject(new Error(`the answer is larger than ${maxBytes} bytes`));
          outgoing.destroy();
        });
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks),
          }),
        );
        incoming.on("aborted", () => fail(new Error("the answer was cut off")));
      },
    );
    outgoing.on("error", fail);
    outgoing.end(body);
  });
}

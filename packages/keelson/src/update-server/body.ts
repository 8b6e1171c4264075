import type { IncomingMessage } from "node:http";

/** Why there is no body. */
export type BodyFailure = "too-large" | "gone";

/**
 * Reads a request's body, at most `most` bytes of it, and calls back once. How long it may take is the server's
 * `requestTimeout`, which ends the connection.
 */
export function readBody(
  request: IncomingMessage,
  most: number,
  done: (body: Buffer | undefined, failure?: BodyFailure) => void,
): void {
  if (Number(request.headers["content-length"] ?? 0) > most) return done(undefined, "too-large");
  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  let length = 0;
  let isDone = false;
  const finish = (body: Buffer | undefined, failure?: BodyFailure): void => {
    if (isDone) return;
    isDone = true;
    done(body, failure);
  };
  request.on("data", (part: Buffer) => {
    if (isDone) return;
    length += part.length;
    if (length > most) return finish(undefined, "too-large");
    if (first === undefined) first = part;
    else (rest ??= []).push(part);
  });
  request.on("end", () =>
    finish(rest === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat([first as Buffer, ...rest])),
  );
  request.on("error", () => finish(undefined, "gone"));
  request.on("close", () => finish(undefined, "gone"));
}

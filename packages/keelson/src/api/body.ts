// Reading what a request carries: bounded in bytes and in time, then checked.
import type { IncomingMessage } from "node:http";
import * as z from "zod/mini";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";

/** Largest JSON body, in bytes: room for 2000 unit files. */
export const maxJsonBytes = 64 << 20;
/** A body whose next bytes take longer than this is given up. */
export const bodyIdleMs = 30_000;

/** The chunks of a body. Throws KEEL-605 above the limit, KEEL-104 when the sender stalls or goes away. */
export async function* bodyChunks(
  incoming: IncomingMessage,
  clock: Clock,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  const declared = Number(incoming.headers["content-length"] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  let bytes = 0;
  let stalled = false;
  const stall = (): void => {
    stalled = true;
    incoming.destroy();
  };
  let timer = clock.timer(bodyIdleMs, stall);
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      timer.cancel();
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
      timer = clock.timer(bodyIdleMs, stall);
    }
  } catch (cause) {
    if (cause instanceof KeelError) throw cause;
    const why = stalled ? `no bytes for ${bodyIdleMs / 1000} s` : "the connection ended";
    throw new KeelError("KEEL-104", `the body stopped after ${bytes} bytes: ${why}`, { cause });
  } finally {
    timer.cancel();
  }
}

/** A JSON body that has the schema's form. */
export async function readJson<S extends z.ZodMiniType>(
  incoming: IncomingMessage,
  clock: Clock,
  schema: S,
): Promise<z.infer<S>> {
  const type = incoming.headers["content-type"] ?? "application/json";
  if (!/^application\/json\b/i.test(type))
    throw new KeelError("KEEL-104", `a body of type ${type} where application/json is expected`);
  const chunks: Buffer[] = [];
  for await (const chunk of bodyChunks(incoming, clock, maxJsonBytes)) chunks.push(chunk);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new KeelError("KEEL-104", `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
  const result = schema.safeParse(json);
  if (!result.success) throw new KeelError("KEEL-104", describeIssues(result.error));
  return result.data;
}

/** `intent.units.names[0]: expected a string`, for the first five issues. */
function describeIssues(error: z.core.$ZodError): string {
  const lines = error.issues.slice(0, 5).map((issue) => {
    const path = issue.path
      .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
      .join("");
    return `${path.replace(/^\./, "") || "body"}: ${issue.message}`;
  });
  const more = error.issues.length - lines.length;
  return lines.join("; ").slice(0, 1000) + (more > 0 ? ` (and ${more} more)` : "");
}

function tooLarge(limit: number): KeelError {
  return new KeelError("KEEL-605", `the body is larger than ${Math.floor(limit / (1 << 20))} MiB`);
}

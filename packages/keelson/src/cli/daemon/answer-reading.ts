// An answer of the daemon is checked before it is believed; an error of the daemon becomes the same KeelError here.
import type { IncomingMessage } from "node:http";
import { KeelError } from "../../base/errors.ts";
import type { ErrorBody } from "../../base/errors.ts";
import { isErrorCode } from "../report-error.ts";
import { errorAnswer } from "./answers/error.ts";
import type { Answer } from "./answers/form.ts";

/** Largest answer that is read into memory, in bytes. */
const maxAnswerBytes = 64 << 20;

/** The daemon's own error, or KEEL-900 for an answer that holds none. */
export function errorFrom(status: number, text: string, what: string): KeelError {
  const body = errorBody(text);
  const foreign = fleetErrorIn(text);
  if (foreign !== undefined)
    return new KeelError(
      "KEEL-601",
      `${what} was answered with ${status}: ${foreign || "nothing is there"}`,
      {
        hint: "fleet’s API alone answers there; keel needs keeld’s own, at its socket or at api.listen",
      },
    );
  if (!body) return new KeelError("KEEL-900", `${what} was answered with ${status}: ${text.slice(0, 200)}`);
  const code = isErrorCode(body.code) ? body.code : "KEEL-900";
  return new KeelError(code, body.message, {
    ...(body.hint === undefined ? {} : { hint: body.hint }),
    ...(body.details === undefined ? {} : { details: body.details }),
  });
}

/** The message of an error in fleet's shape. */
function fleetErrorIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    return typeof error?.code === "number" ? String(error.message) : undefined;
  } catch {
    return undefined;
  }
}

function errorBody(text: string): ErrorBody | undefined {
  try {
    const result = errorAnswer.safeParse(JSON.parse(text));
    return result.success ? (result.data.error as ErrorBody) : undefined;
  } catch {
    return undefined;
  }
}

export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KeelError("KEEL-900", `the answer to ${path} is no JSON`, { cause });
  }
}

export function check<T>(answer: Answer<T>, json: unknown, path: string): T {
  const result = answer.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue ? `${issue.path.map(String).join(".")}: ${issue.message}` : "unknown form";
  throw new KeelError("KEEL-900", `the answer to ${path} has another form than expected (${field})`, {
    hint: "keel and keeld may be of different versions: compare with `keel version`",
  });
}

export async function readAll(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) {
      response.destroy();
      throw new KeelError("KEEL-605", `an answer of more than ${maxAnswerBytes >> 20} MiB`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > maxAnswerBytes) throw new KeelError("KEEL-605", "a line of more than 64 MiB");
    yield* parts;
  }
  if (rest !== "") yield rest;
}

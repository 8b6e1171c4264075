// How answers leave on node:http2.

import type { ServerHttp2Stream } from "node:http2";
import { framed } from "./frames.ts";
import { encodeMessage, statusOf } from "./status.ts";

export const CONTENT_TYPE = "application/grpc";
/** Headers of an answer, as a list: node takes an object apart and checks it each time. */
const OPENING = [":status", "200", "content-type", CONTENT_TYPE];
const WITH_TRAILERS = { waitForTrailers: true };

/** Begins an answer; its status follows when the stream is ended. */
export function open(stream: ServerHttp2Stream): void {
  stream.respond(OPENING, WITH_TRAILERS);
}

/** Answers with one message. */
export function respond(stream: ServerHttp2Stream, message: string): void {
  if (stream.destroyed || stream.headersSent) return;
  open(stream);
  stream.on("wantTrailers", sendOk);
  stream.end(Buffer.from(framed(message), "latin1"));
}

/** Ends an answer that was begun. */
export function finish(stream: ServerHttp2Stream, error: unknown): void {
  if (error === undefined) stream.on("wantTrailers", sendOk);
  else stream.on("wantTrailers", () => stream.sendTrailers(statusFields(error)));
  stream.end();
}

/** Answers with nothing but a status. */
export function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond(
    { ":status": 200, "content-type": CONTENT_TYPE, ...statusFields(error) },
    { endStream: true },
  );
  // What the client still sends is let pass.
  stream.resume();
}

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers({ "grpc-status": "0", "grpc-message": "" });
}

function statusFields(error: unknown): Record<string, string> {
  const { code, message } = statusOf(error);
  return { "grpc-status": String(code), "grpc-message": encodeMessage(message) };
}

import type { ServerResponse } from "node:http";
import type { DescMessage } from "@bufbuild/protobuf";
import type { Call, StreamCall } from "../transport/call.ts";
import { answerJson } from "./answer-message.ts";
import { streamFailureOf } from "./failure.ts";

/** Bytes that may wait for a slow reader before its stream counts as behind. */
const BEHIND_BYTES = 4 << 20;

/** A call with many answers over HTTP/1.1: one line of JSON for each. */
export class GatewayStreamCall implements StreamCall {
  readonly metadata: Call["metadata"];
  readonly peer: Call["peer"];
  readonly #response: ServerResponse;
  readonly #answer: DescMessage;
  readonly #headers: Readonly<Record<string, string>>;
  #isOver = false;

  constructor(
    response: ServerResponse,
    call: Call,
    form: { readonly answer: DescMessage; readonly headers: Readonly<Record<string, string>> },
  ) {
    this.metadata = call.metadata;
    this.peer = call.peer;
    this.#response = response;
    this.#answer = form.answer;
    this.#headers = form.headers;
  }

  get isOver(): boolean {
    return this.#isOver || this.#response.destroyed;
  }

  get isBehind(): boolean {
    return this.#response.writableLength > BEHIND_BYTES;
  }

  send(message: string): void {
    if (this.isOver) return;
    if (!this.#response.headersSent) this.#response.writeHead(200, this.#headers);
    this.#response.write(`{"result":${answerJson(this.#answer, message)}}\n`);
  }

  end(error?: unknown): void {
    if (this.isOver) return;
    this.#isOver = true;
    const failure = error === undefined ? undefined : streamFailureOf(error);
    if (!this.#response.headersSent) this.#response.writeHead(failure?.httpStatus ?? 200, this.#headers);
    this.#response.end(failure?.body);
  }
}

// The server as its own client: locks and elections are made of the same requests that any client could send, on
// behalf of the call that asked for them, so that whoever may not write a key may not lock with it either.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import {
  Watch,
  WatchRequestSchema,
  WatchResponseSchema,
  type WatchCreateRequestSchema,
  type WatchResponse,
} from "../../proto/generated/etcdserverpb/watch_pb.ts";
import type { Call, ServiceTable, StreamCall, StreamHandler } from "../transport/call.ts";
import { statusOf } from "../transport/status.ts";

type Unary<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "unary";
  readonly input: I;
  readonly output: O;
};

export class LocalClient {
  readonly #services: ServiceTable;
  readonly #call: Call | StreamCall;
  readonly #watches = new Set<StreamHandler>();

  constructor(services: ServiceTable, call: Call | StreamCall) {
    this.#services = services;
    this.#call = call;
  }

  /** Throws what etcd's own client makes of a refusal on this way: its words, under the status UNKNOWN. */
  async send<I extends DescMessage, O extends DescMessage>(
    method: Unary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const served = this.#method(method);
    if (served?.kind !== "unary") throw new EtcdError("UNIMPLEMENTED", `${method.name} is not served`);
    try {
      const body = Buffer.from(toBinary(method.input, create(method.input, request)));
      const answer = await served.handle(body, this.#call);
      return fromBinary(method.output, Buffer.from(answer, "latin1"));
    } catch (error) {
      throw withoutStatus(error);
    }
  }

  /**
   * Follows changes until `take` returns true, or `gone` fires. Rejects when the watch is refused or cut off, and
   * with the reason of `gone`.
   */
  watch(
    request: MessageInitShape<typeof WatchCreateRequestSchema>,
    gone: AbortSignal,
    take: (response: WatchResponse) => boolean,
  ): Promise<void> {
    const served = this.#method(Watch.method.watch);
    if (served?.kind !== "stream") throw new EtcdError("UNIMPLEMENTED", "Watch is not served");
    const call = this.#call;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const finish = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        gone.removeEventListener("abort", giveUp);
        // Not from within the stream's own call.
        queueMicrotask(() => {
          this.#watches.delete(handler);
          handler.closed();
        });
        settle();
      };
      const giveUp = (): void => finish(() => reject(abandoned(gone)));
      const handler = served.open({
        metadata: call.metadata,
        peer: call.peer,
        get isBehind() {
          return "isBehind" in call && call.isBehind;
        },
        send: (message) => {
          if (isOver) return;
          const response = fromBinary(WatchResponseSchema, Buffer.from(message, "latin1"));
          if (response.canceled) finish(() => reject(canceled(response)));
          else if (take(response)) finish(resolve);
        },
        end: (error) => finish(() => reject(withoutStatus(error ?? lostWatcher()))),
      });
      this.#watches.add(handler);
      if (gone.aborted) return giveUp();
      gone.addEventListener("abort", giveUp, { once: true });
      const message = create(WatchRequestSchema, {
        requestUnion: { case: "createRequest", value: request },
      });
      handler.message(Buffer.from(toBinary(WatchRequestSchema, message)));
    });
  }

  /** The caller, who was behind, reads again. */
  drained(): void {
    for (const watch of this.#watches) watch.drained();
  }

  #method(method: DescMethod) {
    return this.#services.get(method.parent.typeName)?.[method.name];
  }
}

/** Throws if nobody waits for the answer any more. */
export function checkWanted(gone: AbortSignal): void {
  if (gone.aborted) throw abandoned(gone);
}

function abandoned(gone: AbortSignal): EtcdError {
  if (gone.reason instanceof EtcdError) return gone.reason;
  return new EtcdError("ABORTED", "context canceled", { grpcStatus: GRPC_STATUS.CANCELLED });
}

function canceled({ compactRevision, cancelReason }: WatchResponse): EtcdError {
  return withoutStatus(
    compactRevision > 0n ? EtcdError.refusal("COMPACTED") : new EtcdError("INTERNAL", cancelReason),
  );
}

function lostWatcher(): EtcdError {
  return new EtcdError("INTERNAL", "lost watcher waiting for delete");
}

function withoutStatus(error: unknown): EtcdError {
  const { message } = statusOf(error);
  const code = error instanceof EtcdError ? error.code : "INTERNAL";
  return new EtcdError(code, message, { grpcStatus: GRPC_STATUS.UNKNOWN, cause: error });
}

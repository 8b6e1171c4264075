// Records what a watch stream says, in a form in which two servers can be compared: for each watch its control
// answers and events in order, however they were packed into answers.
import { toJson } from "@bufbuild/protobuf";
import type { JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import { EventSchema } from "../../../packages/etcd/src/proto/generated/mvccpb_pb.ts";
import { Watch } from "../../../packages/etcd/src/proto/generated/etcdserverpb/watch_pb.ts";
import type {
  WatchCreateRequestSchema,
  WatchResponse,
} from "../../../packages/etcd/src/proto/generated/etcdserverpb/watch_pb.ts";
import type { RawClient, Refusal } from "./raw-client.ts";

export class Watching {
  /** By watch id. */
  readonly heard = new Map<string, JsonValue[]>();
  readonly responses: WatchResponse[] = [];
  ended: Refusal | undefined;
  readonly #stream;
  #wake: () => void = () => undefined;

  constructor(client: RawClient) {
    this.#stream = client.stream(Watch.method.watch, {
      message: (response) => this.#take(response),
      end: (status) => {
        this.ended = status;
        this.#wake();
      },
    });
  }

  create(request: MessageInitShape<typeof WatchCreateRequestSchema>): void {
    this.#stream.send({ requestUnion: { case: "createRequest", value: request } });
  }

  cancel(watchId: bigint): void {
    this.#stream.send({ requestUnion: { case: "cancelRequest", value: { watchId } } });
  }

  progress(): void {
    this.#stream.send({ requestUnion: { case: "progressRequest", value: {} } });
  }

  halfClose(): void {
    this.#stream.halfClose();
  }

  close(): void {
    this.#stream.cancel();
  }

  /** Waits until what was heard satisfies a condition. Throws when it takes too long. */
  async until(condition: () => boolean, withinMs = 30_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!condition()) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error("the watch stream did not say in time what was waited for");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** A watch was created, or refused, that many times. */
  controls(): number {
    return this.responses.filter(({ created }) => created).length;
  }

  #take(response: WatchResponse): void {
    this.responses.push(response);
    const id = String(response.watchId);
    const list = this.heard.get(id) ?? [];
    this.heard.set(id, list);
    const { created, canceled, compactRevision, cancelReason, events } = response;
    if (created || canceled) {
      list.push({ created, canceled, compactRevision: String(compactRevision), cancelReason });
    }
    for (const event of events) list.push(toJson(EventSchema, event));
    this.#wake();
  }
}

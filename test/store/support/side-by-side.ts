// A real etcd and the embedded server, through the same steps: what the steps note must be the same.
import assert from "node:assert/strict";
import type { DescMessage, DescMethod, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import { plain, RawClient } from "./raw-client.ts";
import { embedded, realEtcd } from "./servers.ts";
import type { EtcdTools, TestServer } from "./servers.ts";

/** Keeps a value for the comparison. */
export type Note = (value: JsonValue) => void;

type Unary<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "unary";
  readonly input: I;
  readonly output: O;
};

export class SideBySide implements AsyncDisposable {
  readonly real: TestServer;
  readonly ours: TestServer;

  private constructor(real: TestServer, ours: TestServer) {
    this.real = real;
    this.ours = ours;
  }

  static async start(tools: EtcdTools, flags: readonly string[] = []): Promise<SideBySide> {
    return new SideBySide(await realEtcd(tools.etcd, flags), await embedded());
  }

  /** Runs the steps on both and compares what they noted. */
  async compare(steps: (client: RawClient, note: Note) => Promise<void>): Promise<void> {
    const [expected = [], got = []] = await Promise.all(
      [this.real, this.ours].map(async ({ address }) => {
        const noted: JsonValue[] = [];
        using client = new RawClient(address);
        await steps(client, (value) => void noted.push(value));
        return noted;
      }),
    );
    assert.deepEqual(got, expected);
    assert.ok(expected.length > 0, "nothing was noted");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.real[Symbol.asyncDispose]();
    await this.ours[Symbol.asyncDispose]();
  }
}

/** Makes a call and notes its answer with its name. */
export async function noted<I extends DescMessage, O extends DescMessage>(
  { client, note }: { readonly client: RawClient; readonly note: Note },
  method: Unary<I, O>,
  request: MessageInitShape<I>,
): Promise<void> {
  note([method.name, plain(method, await client.call(method, request))]);
}

// What a backup of the store is made of. Only over the socket: it holds everything.
import { Readable } from "node:stream";
import { KeelError } from "../../base/errors.ts";
import type { BackupSource } from "../../model/backup.ts";
import { jsonAnswer } from "../answer.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { Bindings } from "../listener.ts";

export function storeBackupRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/store/snapshot", async (c) => {
    const source = sourceFor(context, c.env);
    const slot = context.streams.take();
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, context.signal]);
    const pieces = source.snapshot(signal)[Symbol.asyncIterator]();
    const end = (): void => {
      ending.abort();
      slot[Symbol.dispose]();
    };
    // An error before the first piece still is an answer; later ones can only end the connection.
    const first = await pieces.next().catch((error: unknown) => {
      end();
      throw error;
    });
    const bytes = Readable.from(whole(first, pieces, end));
    c.env.outgoing.once("close", end);
    return new Response(Readable.toWeb(bytes) as ReadableStream<Uint8Array>, {
      headers: { "content-type": "application/octet-stream", "cache-control": "no-store" },
    });
  });

  routes.get("/v1/store/hash", async (c) => {
    const revision = Number(c.req.query("revision") ?? 0);
    if (!Number.isSafeInteger(revision) || revision < 0) {
      throw new KeelError("KEEL-104", "the parameter revision is no revision");
    }
    return jsonAnswer(await sourceFor(context, c.env).hashKv(revision));
  });

  routes.get("/v1/store/kind", async (c) => jsonAnswer(await sourceFor(context, c.env).describe()));
}

async function* whole(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
  end: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let piece = first; piece.done !== true; piece = await rest.next()) yield piece.value;
  } finally {
    end();
  }
}

function sourceFor({ options }: ApiContext, { entrance }: Bindings): BackupSource {
  if (entrance !== "socket") {
    throw new KeelError("KEEL-604", "the store is not handed out on TCP: use keel on the machine, as root");
  }
  if (options.backupSource === undefined) throw new KeelError("KEEL-104", "no store is served here");
  return options.backupSource;
}

// An update endpoint over loopback, and what speaks to it.
import { noUpdate } from "@keelson/omaha";
import type { OmahaUpdateAnswer } from "@keelson/omaha";
import { connect } from "node:net";
import { once } from "node:events";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Asked, Decider } from "../../src/update-server/decision.ts";
import { UpdateEndpoint } from "../../src/update-server/update-endpoint.ts";
import type { UpdateEndpointOptions } from "../../src/update-server/update-endpoint.ts";

export const grant: OmahaUpdateAnswer = {
  status: "ok",
  urls: [{ codebase: "http://payloads.example/" }],
  manifests: [
    {
      version: "2.0.0",
      packages: [{ name: "update.gz", size: 100, required: true }],
      actions: [{ event: "postinstall", sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }],
    },
  ],
};

/** Gives the update to the applications of whose id it is told, with an entry; others get a policy's no. */
export class Granting implements Decider {
  readonly kind = 1;
  readonly asked: Asked[] = [];
  readonly #granted: ReadonlySet<string>;

  constructor(...granted: readonly string[]) {
    this.#granted = new Set(granted);
  }

  decide(asked: Asked): ReturnType<Decider["decide"]> {
    this.asked.push(asked);
    const { id } = asked.app;
    if (id === "broken") throw new Error("this application is too much");
    if (!this.#granted.has(id)) return { update: { ...noUpdate, pollInterval: 3600 }, entries: [] };
    return { update: grant, entries: [JSON.stringify({ granted: id })] };
  }
}

/** A log whose disk is as fast, as slow and as full as a test wants. */
export class TestEntries {
  readonly written: string[] = [];
  isWritable = true;
  waitingBytes = 0;
  /** How the next appends end. */
  sync: () => Promise<void> = () => Promise.resolve();

  async append(_kind: number, entries: readonly string[]): Promise<void> {
    await this.sync();
    this.written.push(...entries);
  }
}

export interface Running extends AsyncDisposable {
  readonly endpoint: UpdateEndpoint;
  readonly decider: Granting;
  readonly entries: TestEntries;
  readonly port: number;
  readonly url: string;
  readonly post: (body: string, headers?: Record<string, string>) => Promise<Response>;
}

export async function running(
  options: Partial<Omit<UpdateEndpointOptions, "decider" | "entries">> & {
    readonly grants?: readonly string[];
  } = {},
): Promise<Running> {
  const { grants = [], ...rest } = options;
  const decider = new Granting(...grants);
  const entries = new TestEntries();
  const endpoint = new UpdateEndpoint({ decider, entries, clock: systemClock, log: silentLog, ...rest });
  const port = await endpoint.listen(0, "127.0.0.1");
  const url = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    decider,
    entries,
    port,
    url,
    post: (body, headers = {}) => fetch(`${url}/v1/update/`, { method: "POST", body, headers }),
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

/** Sends bytes and reads until the other end closes. */
export async function raw(port: number, ...parts: readonly string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  socket.on("error", () => undefined);
  for (const part of parts) socket.write(part);
  await once(socket, "close");
  return text;
}

/** A check of these applications. */
export const checkOf = (...ids: readonly string[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?><request protocol="3.0">${ids
    .map(
      (id) =>
        `<app appid="${id}" version="1.0.0" track="stable"><ping active="1"></ping><updatecheck></updatecheck></app>`,
    )
    .join("")}</request>`;

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { HistoryEvent } from "../../src/updater/records.ts";
import { HttpSource } from "../../src/updater/sources/http-source.ts";
import { makePointer, now, signedPointer } from "../releases/ceremony.ts";
import {
  architecture,
  machineUnderTest,
  publish,
  runningRelease,
  testClock,
  wishes,
} from "./machine-under-test.ts";
import type { MachineUnderTest } from "./machine-under-test.ts";

const newer = publish("2.1.0");
const running = runningRelease.version;
const rootName = newer.manifest.root.name;
const rootFile = newer.files.get(rootName) ?? new Uint8Array();

interface Exchange {
  readonly name: string;
  readonly file: Uint8Array | undefined;
  /** First byte that was asked for. */
  readonly from: number;
  /** How often this file was asked for before. */
  readonly asked: number;
  readonly response: ServerResponse;
}

interface Server extends AsyncDisposable {
  readonly url: string;
  /** `NAME from OFFSET`, in the order in which they came. */
  readonly requests: string[];
}

/** Serves the release well, unless `answer` has taken the exchange. */
async function serve(
  answer: (exchange: Exchange) => boolean = () => false,
  files: ReadonlyMap<string, Uint8Array> = newer.files,
): Promise<Server> {
  const requests: string[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const name = decodeURIComponent((request.url ?? "/").slice(1));
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const asked = counts.get(name) ?? 0;
    counts.set(name, asked + 1);
    requests.push(`${name} from ${from}`);
    const file = files.get(name);
    if (answer({ name, file, from, asked, response })) return;
    if (file === undefined) return void response.writeHead(404).end();
    sendFrom(response, file, from);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function sendFrom(response: ServerResponse, file: Uint8Array, from: number): void {
  const size = file.byteLength;
  if (from === 0) response.writeHead(200, { "content-length": size });
  else
    response.writeHead(206, {
      "content-range": `bytes ${from}-${size - 1}/${size}`,
      "content-length": size - from,
    });
  response.end(file.subarray(from));
}

const sourceOf = ({ url }: Server, patienceMs = 30_000): HttpSource =>
  new HttpSource(url, { clock: testClock, patienceMs });

async function installs(machine: MachineUnderTest, server: Server): Promise<HistoryEvent | undefined> {
  await machine.updater.update(sourceOf(server), wishes({ to: "2.1.0" }));
  assert.equal((await machine.disk.start())?.version, "2.1.0");
  return (await machine.records.history()).at(-1);
}

async function refuses(
  answer: (exchange: Exchange) => boolean,
  error: object,
  patienceMs?: number,
): Promise<void> {
  await using machine = await machineUnderTest();
  await using server = await serve(answer);
  const source = sourceOf(server, patienceMs);
  await assert.rejects(machine.updater.update(source, wishes({ to: "2.1.0" })), error);
  assert.equal((await machine.disk.start())?.version, running);
}

describe("an update over HTTP", () => {
  test("takes every byte once, and keeps nothing of it", async () => {
    await using machine = await machineUnderTest();
    await using server = await serve();
    const event = await installs(machine, server);
    assert.equal(event?.bytes, newer.manifest.root.size + newer.manifest.kernel.size);
    assert.equal(server.requests.filter((one) => one.startsWith(rootName)).length, 1);
    assert.deepEqual(await readdir(join(machine.folder, "os/download")), []);
  });

  test("goes on in the middle when the server breaks off, as often as that brings something", async () => {
    await using machine = await machineUnderTest();
    await using server = await serve(({ name, file, from, response }) => {
      if (name !== rootName || file === undefined || from > 200_000) return false;
      response.writeHead(from === 0 ? 200 : 206, {
        "content-length": file.byteLength - from,
        ...(from === 0 ? {} : { "content-range": `bytes ${from}-${file.byteLength - 1}/${file.byteLength}` }),
      });
      response.write(file.subarray(from, from + 30_000), () => setTimeout(() => response.destroy(), 5));
      return true;
    });
    await installs(machine, server);
    const offsets = server.requests
      .filter((one) => one.startsWith(rootName))
      .map((one) => Number(one.split(" ").at(-1)));
    assert.ok(offsets.length > 4, "it was asked again");
    assert.deepEqual(
      offsets,
      offsets.toSorted((a, b) => a - b),
    );
  });

  test("goes on after a restart of the command, with what was kept", async () => {
    await using machine = await machineUnderTest();
    {
      const stop = new AbortController();
      await using server = await serve(({ name, file, response }) => {
        if (name !== rootName || file === undefined) return false;
        response.writeHead(200, { "content-length": file.byteLength });
        response.write(file.subarray(0, 100_000), () =>
          setTimeout(() => stop.abort(new Error("killed")), 30),
        );
        return true;
      });
      await assert.rejects(
        machine.updater.update(sourceOf(server), wishes({ to: "2.1.0", signal: stop.signal })),
        /killed/,
      );
    }
    await using server = await serve();
    const event = await installs(machine, server);
    const from = Number(
      server.requests
        .find((one) => one.startsWith(rootName))
        ?.split(" ")
        .at(-1),
    );
    assert.ok(from > 0, `asked from ${from}`);
    assert.equal(event?.bytes, rootFile.byteLength - from);
  });

  test("copes with a server that answers 200 where a part was asked for", async () => {
    await using machine = await machineUnderTest();
    await using server = await serve(({ name, file, asked, response }) => {
      if (name !== rootName || file === undefined) return false;
      response.writeHead(200, { "content-length": file.byteLength });
      if (asked > 0) response.end(file);
      else response.write(file.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 5));
      return true;
    });
    await installs(machine, server);
  });

  test("starts anew when what was kept is not what was signed", async () => {
    await using machine = await machineUnderTest();
    await mkdir(join(machine.folder, "os/download"), { recursive: true });
    const kept = join(machine.folder, `os/download/${newer.manifest.root.sha256}.part`);
    for (const damage of [
      Buffer.alloc(60_000),
      Buffer.concat([rootFile.subarray(0, 70_000), Buffer.alloc(9)]),
    ]) {
      await writeFile(kept, damage);
      const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
      await writeFile(kept.replace(/part$/, "synced"), `${boot} ${damage.byteLength}\n`);
      await using server = await serve();
      await machine.updater.update(sourceOf(server), wishes({ to: "2.1.0", force: true }));
      const asked = server.requests.filter((one) => one.startsWith(rootName));
      assert.deepEqual(asked.at(-1), `${rootName} from 0`);
      machine.disk.slots.b.fill(0);
    }
  });

  test("forgets what is not what was signed", async () => {
    await using machine = await machineUnderTest();
    const other = Uint8Array.from(rootFile, (byte, at) => (at < 60_000 ? byte ^ 255 : byte));
    let isHostile = true;
    await using server = await serve(({ name, from, response }) => {
      if (name !== rootName || !isHostile) return false;
      sendFrom(response, other, from);
      return true;
    });
    await assert.rejects(machine.updater.update(sourceOf(server), wishes({ to: "2.1.0" })), {
      code: "KEEL-807",
    });
    assert.equal((await machine.disk.start())?.version, running);
    isHostile = false;
    const event = await installs(machine, server);
    assert.equal(event?.bytes, rootFile.byteLength + newer.manifest.kernel.size);
  });

  test("waits out a server that is busy", async () => {
    await using machine = await machineUnderTest();
    await using server = await serve(({ name, asked, response }) => {
      if (name !== rootName || asked > 2) return false;
      response.writeHead(asked === 0 ? 503 : 429).end();
      return true;
    });
    await installs(machine, server);
  });

  test("follows its channel, and remembers that it has seen the pointer", async () => {
    await using machine = await machineUnderTest();
    const channel = `channel.stable_vm_${architecture}.json`;
    const files = new Map([
      ...newer.files,
      [channel, signedPointer(makePointer({ counter: 9 }, newer.manifest))],
    ]);
    {
      await using server = await serve(() => false, files);
      assert.equal((await machine.updater.plan(sourceOf(server), wishes())).manifest.version, "2.1.0");
    }
    files.set(channel, signedPointer(makePointer({ counter: 8 }, newer.manifest)));
    await using old = await serve(() => false, files);
    await assert.rejects(machine.updater.plan(sourceOf(old), wishes()), { code: "KEEL-825" });
    files.set(
      channel,
      signedPointer(makePointer({ counter: 10, issued: now - 9000, expires: now - 1 }, newer.manifest)),
    );
    await assert.rejects(machine.updater.plan(sourceOf(old), wishes()), { code: "KEEL-824" });
  });

  test("works without room to keep anything", async () => {
    await using machine = await machineUnderTest({
      parts: { partials: { open: async () => undefined, keepOnly: async () => {} } as never },
    });
    await using server = await serve();
    await installs(machine, server);
  });
});

describe("a hostile server", () => {
  const ofRoot =
    (answer: (exchange: Exchange & { readonly file: Uint8Array }) => void) =>
    (exchange: Exchange): boolean => {
      const { name, file } = exchange;
      if (name !== rootName || file === undefined) return false;
      answer({ ...exchange, file });
      return true;
    };

  test("that states another size", () =>
    refuses(
      ofRoot(({ response, file }) =>
        response.writeHead(200, { "content-length": file.byteLength + 1 }).end(),
      ),
      { code: "KEEL-807", message: /the manifest says/ },
    ));

  test("that never ends", () =>
    refuses(
      ofRoot(({ response, file }) => {
        response.writeHead(200);
        response.write(file);
        const pour = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        };
        response.on("drain", pour);
        pour();
      }),
      { code: "KEEL-807", message: /goes on after/ },
    ));

  test("that ends early, each time", () =>
    refuses(
      ofRoot(({ response, file, from }) => {
        response.writeHead(200);
        response.end(file.subarray(0, Math.max(from, 1000)));
      }),
      { code: "KEEL-806", message: /ended after 1000/ },
    ));

  test("that sends nothing", () =>
    refuses(
      ofRoot(({ response }) => response.writeHead(200).flushHeaders()),
      { code: "KEEL-806", message: /stopped sending|no answer/ },
      200,
    ));

  test("that sends a web page", () =>
    refuses(
      ofRoot(({ response }) =>
        response.writeHead(200, { "content-type": "text/html" }).end("<html>log in</html>"),
      ),
      { code: "KEEL-807", message: /web page/ },
    ));

  test("that sends other bytes of the right size", () =>
    refuses(
      ofRoot(({ response, file }) => response.end(Buffer.alloc(file.byteLength, 7))),
      { code: "KEEL-807" },
    ));

  test("that redirects in circles", () =>
    refuses(
      ofRoot(({ response }) => response.writeHead(302, { location: `/${rootName}` }).end()),
      { code: "KEEL-806", message: /in circles/ },
    ));

  test("that redirects to a file", () =>
    refuses(
      ofRoot(({ response }) => response.writeHead(302, { location: "file:///etc/passwd" }).end()),
      { code: "KEEL-806", message: /no safe place/ },
    ));

  test("that sends another part than was asked for", () =>
    refuses(
      ofRoot(({ response, file, from }) => {
        if (from === 0) {
          response.writeHead(200, { "content-length": file.byteLength });
          response.write(file.subarray(0, 9000), () => setTimeout(() => response.destroy(), 5));
        } else {
          response.writeHead(206, {
            "content-range": `bytes ${from + 1}-${file.byteLength - 1}/${file.byteLength}`,
          });
          response.end(file.subarray(from + 1));
        }
      }),
      { code: "KEEL-806", message: /another part/ },
    ));

  test("that has no such release, or forbids it", async () => {
    await refuses(({ response }) => !!response.writeHead(404).end(), { code: "KEEL-814" });
    await refuses(({ response }) => !!response.writeHead(403).end(), { code: "KEEL-806" });
  });

  test("that sends a manifest without end", () =>
    refuses(
      ({ name, response }) => {
        if (!name.endsWith("manifest.json")) return false;
        response.writeHead(200);
        const pour = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 32)));
        };
        response.on("drain", pour);
        pour();
        return true;
      },
      { code: "KEEL-807" },
    ));
});

test("a URL with a password, or of another kind, is refused", () => {
  for (const url of ["ftp://host/", "http://user:secret@host/", "nonsense"])
    assert.throws(() => new HttpSource(url, { clock: testClock }), { code: "KEEL-104" });
});

test("a folder for downloads that cannot be used does not stop an update", async () => {
  await using machine = await machineUnderTest();
  await mkdir(join(machine.folder, "os"), { recursive: true });
  await using server = await serve();
  await installs(machine, server);
});

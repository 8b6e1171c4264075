import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import {
  followJournal,
  journalctlCommand,
  type JournalChild,
  type JournalEntry,
  parseJournalEntry,
  readJournal,
  SystemdError,
} from "../../src/index.ts";
import { boundedLines } from "../../src/journal/lines.ts";
import { FakeClock, settled } from "../manager/fake-systemd.ts";

const hasCode = (code: string) => (error: unknown) => error instanceof SystemdError && error.code === code;

test("the command line says what is asked for, and never asks for no lines", () => {
  const fixed = 6;
  const tail = (...[query, mode]: Parameters<typeof journalctlCommand>): string[] =>
    journalctlCommand(query, mode).slice(fixed);
  assert.deepEqual(journalctlCommand({}, "read").slice(0, 5), [
    "journalctl",
    "--output=json",
    "--all",
    "--no-pager",
    "--quiet",
  ]);
  assert.deepEqual(tail({}, "read"), []);
  assert.deepEqual(tail({ units: ["a.service", "b.service"], lines: 10 }, "read"), [
    "--lines=10",
    "--unit=a.service",
    "--unit=b.service",
  ]);
  assert.deepEqual(tail({ units: ["a.service"], afterCursor: "s=1;i=2" }, "follow"), [
    "--follow",
    "--no-tail",
    "--after-cursor=s=1;i=2",
    "--unit=a.service",
  ]);
  assert.deepEqual(tail({ sinceUsec: 1_000_002, untilUsec: 3_500_000, directory: "/j" }, "read"), [
    "--directory=/j",
    "--since=@1.000002",
    "--until=@3.500000",
  ]);
  const id = "0123456789abcdef0123456789abcdef";
  assert.deepEqual(tail({ invocationId: id, units: ["a.service"] }, "read"), [
    `_SYSTEMD_INVOCATION_ID=${id}`,
    "+",
    `INVOCATION_ID=${id}`,
  ]);
  for (const query of [
    { lines: 0 },
    { lines: -1 },
    { lines: 1.5 },
    { sinceUsec: -1 },
    { untilUsec: 0.5 },
    { invocationId: "x" },
  ]) {
    assert.throws(() => journalctlCommand(query, "follow"), hasCode("invalid-value"));
  }
});

test("entries are read in each form that journalctl writes", () => {
  const line = (fields: object): string =>
    JSON.stringify({ __CURSOR: "c", __REALTIME_TIMESTAMP: "1700000000000001", ...fields });
  const own = parseJournalEntry(
    line({
      MESSAGE: "hi",
      PRIORITY: "3",
      _SYSTEMD_UNIT: "a.service",
      _SYSTEMD_INVOCATION_ID: "ab",
      _PID: "7",
      SYSLOG_IDENTIFIER: "sh",
      CONTAINER_NAME: "web",
    }),
  );
  assert.deepEqual(own, {
    cursor: "c",
    realtimeUsec: 1_700_000_000_000_001,
    bootId: undefined,
    unit: "a.service",
    message: "hi",
    priority: 3,
    invocationId: "ab",
    identifier: "sh",
    pid: 7,
    container: "web",
  } satisfies JournalEntry);
  const about = parseJournalEntry(
    line({
      UNIT: "a.service",
      INVOCATION_ID: "cd",
      _SYSTEMD_UNIT: "init.scope",
      _SYSTEMD_INVOCATION_ID: "ef",
    }),
  );
  assert.deepEqual([about.unit, about.invocationId, about.message], ["a.service", "cd", ""]);
  assert.deepEqual(parseJournalEntry(line({ MESSAGE: [255, 0, 10] })).message, Uint8Array.of(255, 0, 10));
  assert.equal(parseJournalEntry(line({ MESSAGE: ["first", "second"] })).message, "first");
  assert.deepEqual(parseJournalEntry(line({ MESSAGE: [[200], "second"] })).message, Uint8Array.of(200));
  for (const bad of ["", "{", "[]", "1", "{}", '{"__CURSOR":"c"}'])
    assert.throws(() => parseJournalEntry(bad), hasCode("journal-read"), bad);
});

test("property: lines come out whole however the bytes are cut, except those that are too long or have no end", async () => {
  const lines = fc.array(fc.stringMatching(/^[a-zü]{0,12}$/));
  await fc.assert(
    fc.asyncProperty(
      lines,
      fc.stringMatching(/^[a-z]{0,5}$/),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      async (list, rest, sizes) => {
        const bytes = Buffer.from(list.map((line) => `${line}\n`).join("") + rest);
        async function* chunks(): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value;
            yield bytes.subarray(at, at + size);
            at += size;
          }
        }
        const long: number[] = [];
        const read = await Array.fromAsync(boundedLines(chunks(), 8, (size) => long.push(size)));
        const fits = (line: string): boolean => Buffer.byteLength(line) <= 8;
        assert.deepEqual(read, list.filter(fits));
        assert.deepEqual(
          long,
          list.filter((line) => !fits(line)).map((line) => Buffer.byteLength(line)),
        );
      },
    ),
  );
});

/** A journal of numbered entries and a journalctl that reads it, ends when it is told, and counts its runs. */
class FakeJournal {
  readonly entries: number[] = [];
  readonly commands: (readonly string[])[] = [];
  #followers: { child: FakeChild; next: number }[] = [];

  write(count: number): void {
    for (let each = 0; each < count; each += 1) this.entries.push(this.entries.length);
    this.#feed();
  }

  /** The running journalctl dies in the middle of a line. */
  die(): void {
    for (const { child } of this.#followers.splice(0)) child.end('{"__CURSOR":"99', 1);
  }

  readonly spawn = (command: readonly string[]): JournalChild => {
    this.commands.push(command);
    const option = (name: string): string | undefined =>
      command.find((word) => word.startsWith(name))?.slice(name.length);
    const after = option("--after-cursor=");
    const lines = option("--lines=");
    const child = new FakeChild();
    const first = after === undefined ? 0 : Number(after) + 1;
    const follower = {
      child,
      next: lines === undefined ? first : Math.max(first, this.entries.length - Number(lines)),
    };
    this.#followers.push(follower);
    this.#feed();
    if (!command.includes("--follow")) {
      this.#followers = this.#followers.filter((other) => other !== follower);
      child.end("", 0);
    }
    return child;
  };

  #feed(): void {
    for (const follower of this.#followers) {
      for (; follower.next < this.entries.length; follower.next += 1) follower.child.write(follower.next);
    }
  }
}

class FakeChild extends EventEmitter implements JournalChild {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();

  write(entry: number): void {
    this.stdout.write(
      `${JSON.stringify({ __CURSOR: String(entry), __REALTIME_TIMESTAMP: "1", MESSAGE: `m${entry}` })}\n`,
    );
  }

  end(rest: string, code: number): void {
    this.stdout.end(rest);
    if (code !== 0) this.stderr.write("it broke\n");
    setImmediate(() => this.emit("close", code, null));
  }

  kill(): boolean {
    this.stdout.end();
    setImmediate(() => this.emit("close", null, "SIGTERM"));
    return true;
  }
}

test("following gives every entry once, however often journalctl dies", async () => {
  const journal = new FakeJournal();
  const clock = new FakeClock();
  const stop = new AbortController();
  const read: string[] = [];
  journal.write(5);
  const following = (async () => {
    for await (const { message } of followJournal(
      { lines: 3 },
      { spawn: journal.spawn, clock, signal: stop.signal },
    ))
      read.push(String(message));
  })();
  for (let round = 0; round < 6; round += 1) {
    await clock.pass(10_000);
    journal.write(3);
    await settled();
    journal.die();
    journal.write(2);
  }
  await clock.pass(10_000);
  stop.abort();
  await following;
  assert.deepEqual(
    read,
    journal.entries.slice(2).map((entry) => `m${entry}`),
  );
});

test("following from now on leaves out what is there, and misses nothing that is written while it starts", async () => {
  const journal = new FakeJournal();
  const clock = new FakeClock();
  journal.write(4);
  const spawn = (command: readonly string[]): JournalChild => {
    const child = journal.spawn(command);
    if (!command.includes("--follow")) journal.write(1);
    return child;
  };
  const read: string[] = [];
  for await (const { message } of followJournal({ lines: 0 }, { spawn, clock })) {
    read.push(String(message));
    if (read.length === 1) journal.write(1);
    if (read.length === 2) break;
  }
  assert.deepEqual(read, ["m4", "m5"]);
  assert.ok(journal.commands.every((command) => !command.includes("--lines=0")));
});

test("following what was written since a time goes on by cursor alone: journalctl refuses both", async () => {
  const journal = new FakeJournal();
  journal.write(2);
  const read: string[] = [];
  const query = { sinceUsec: 1_000_000 };
  for await (const { message } of followJournal(query, { spawn: journal.spawn, clock: new FakeClock() })) {
    read.push(String(message));
    if (read.length === 2) journal.write(1);
    if (read.length === 3) break;
  }
  assert.deepEqual(read, ["m0", "m1", "m2"]);
  const both = journal.commands.filter((command) =>
    ["--since=", "--after-cursor="].every((name) => command.some((word) => word.startsWith(name))),
  );
  assert.deepEqual(both, []);
});

test("a journalctl that cannot run is an error: at once for reading, after ten tries for following", async () => {
  const spawn = (): JournalChild => {
    const child = new FakeChild();
    child.end("", 1);
    return child;
  };
  await assert.rejects(
    Array.fromAsync(readJournal({}, { spawn })),
    (error) => hasCode("journal-read")(error) && /exit status 1: it broke/.test(String(error)),
  );
  const clock = new FakeClock();
  let tries = 0;
  const counted = (): JournalChild => {
    tries += 1;
    return spawn();
  };
  const following = assert.rejects(
    Array.fromAsync(followJournal({ afterCursor: "1" }, { spawn: counted, clock })),
    hasCode("journal-read"),
  );
  await clock.pass(100_000);
  await following;
  assert.equal(tries, 11);
  await assert.rejects(Array.fromAsync(readJournal({ directory: "/nowhere" }, {})), hasCode("journal-read"));
  assert.deepEqual(await Array.fromAsync(readJournal({ lines: 0 }, { spawn })), []);
});

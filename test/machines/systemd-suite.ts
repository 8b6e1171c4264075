// @keelson/systemd against a real systemd: whoever has a machine calls `systemdSuite` with its bus socket.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  followJournal,
  type JournalChild,
  type JournalEntry,
  lintQuadlet,
  readJournal,
  serviceNameOf,
  SystemdError,
  SystemdManager,
  UnitFile,
  type UnitState,
} from "@keelson/systemd";
import { PATIENCE_MS, patiently } from "../support/patiently.ts";

const SOCKET = "/run/dbus/system_bus_socket";
const UNITS = "run/systemd/system";
const QUADLETS = "run/containers/systemd";

/** A machine with the client connected to it. Its units are called `kt-*`. */
class Bench {
  readonly socketPath: string;
  readonly #root: string;
  readonly #pid: string;
  readonly manager: SystemdManager;
  readonly logged: string[];

  private constructor(socketPath: string, manager: SystemdManager, logged: string[]) {
    this.socketPath = socketPath;
    this.#root = socketPath.slice(0, -SOCKET.length);
    this.#pid = /^\/proc\/(\d+)\/root/.exec(socketPath)?.[1] ?? "1";
    this.manager = manager;
    this.logged = logged;
  }

  static async open(socketPath: string): Promise<Bench> {
    const logged: string[] = [];
    const manager = await SystemdManager.connect({ socketPath, log: (message) => logged.push(message) });
    return new Bench(socketPath, manager, logged);
  }

  async write(folder: string, name: string, text: string): Promise<void> {
    await mkdir(join(this.#root, folder), { recursive: true });
    await writeFile(join(this.#root, folder, name), text);
  }

  async remove(folder: string, name: string): Promise<void> {
    await rm(join(this.#root, folder, name), { force: true, recursive: true });
  }

  /** Writes a service with these lines in its [Service] section. */
  async service(name: string, ...lines: string[]): Promise<string> {
    const file = `kt-${name}.service`;
    await this.write(UNITS, file, `[Service]\n${lines.join("\n")}\n`);
    return file;
  }

  /**
   * Runs a command inside the machine. nsenter forks, so the whole process group is ended; without the machine's
   * PID namespace journalctl would find no /proc/self and wait for changes in vain.
   */
  readonly spawn = (command: readonly string[]): JournalChild => {
    const child = spawn("nsenter", ["-t", this.#pid, "-m", "-p", ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const kill = (): boolean => {
      try {
        return child.pid !== undefined && process.kill(-child.pid, "SIGKILL");
      } catch {
        return false;
      }
    };
    return Object.assign(child, { kill });
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager[Symbol.asyncDispose]();
  }
}

/** What a watch has told so far. */
class Seen {
  readonly states = new Map<string, UnitState>();
  readonly history: (readonly [name: string, state: UnitState | undefined])[] = [];
  batches = 0;
  readonly #waiting = new Set<() => void>();

  readonly take = (changes: ReadonlyMap<string, UnitState | undefined>): void => {
    this.batches += 1;
    for (const [name, state] of changes) {
      this.history.push([name, state]);
      if (state === undefined) this.states.delete(name);
      else this.states.set(name, state);
    }
    for (const check of this.#waiting) check();
  };

  count(active: string): number {
    return [...this.states.values()].filter((state) => state.active === active).length;
  }

  /** Resolves to the milliseconds until it held; fails after 30 s. */
  async until(what: string, holds: () => boolean): Promise<number> {
    const started = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      if (holds()) resolve();
    };
    const timer = setTimeout(() => reject(new Error(`not seen within 30 s: ${what}`)), 30_000);
    this.#waiting.add(check);
    check();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
    return performance.now() - started;
  }
}

const hasCode = (code: string) => (error: unknown) => error instanceof SystemdError && error.code === code;
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/**
 * Tests of the manager client, Quadlets and the journal on a machine.
 * @param getSocketPath makes the machine; resolves to its system bus, `/proc/PID/root/run/dbus/system_bus_socket`
 * @param end removes the machine
 */
export function systemdSuite(getSocketPath: () => Promise<string>, end: () => Promise<void>): void {
  describe("systemd on a real machine", { timeout: 300_000 }, () => {
    let bench: Bench | undefined;
    const get = (): Bench => {
      assert.ok(bench, "there is no machine");
      return bench;
    };
    before(async () => {
      bench = await Bench.open(await getSocketPath());
    });
    after(async () => {
      await bench?.[Symbol.asyncDispose]();
      await end();
    });

    managerTests(get);
    connectionTests(get);
    quadletTests(get);
    journalTests(get);

    test("the machine is up, and what we made is gone", async () => {
      const { manager } = get();
      for (const { name } of await manager.listUnits(["kt-*"])) {
        await manager.stopUnit(name).catch(() => undefined);
        await get().remove(UNITS, name);
      }
      await get().remove(QUADLETS, "");
      await manager.reload();
      await manager.resetFailed();
      assert.ok(["running", "degraded", "starting"].includes(await manager.systemState()));
      const left = (await manager.listUnits(["kt-*"])).filter(({ load }) => load === "loaded");
      assert.deepEqual(left, []);
    });
  });
}

function managerTests(get: () => Bench): void {
  test("200 services start and stop, and every change is told", async (t) => {
    const { manager } = get();
    const names = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        get().service(`many-${index}`, "ExecStart=/bin/sleep infinity"),
      ),
    );
    const seen = new Seen();
    await using _watch = await manager.watchUnits({ match: ["kt-many-*.service"], onChange: seen.take });
    const started = performance.now();
    const outcomes = await Promise.all(names.map((name) => manager.startUnit(name)));
    const startMs = performance.now() - started;
    assert.deepEqual([...new Set(outcomes.map(({ result }) => result))], ["done"]);
    const lag = await seen.until("200 active", () => seen.count("active") === 200);
    assert.equal(new Set([...seen.states.values()].map(({ invocationId }) => invocationId)).size, 200);
    assert.ok([...seen.states.values()].every(({ mainPid }) => mainPid !== undefined));
    const stopped = performance.now();
    await Promise.all(names.map((name) => manager.stopUnit(name)));
    const stopMs = performance.now() - stopped;
    await seen.until("none active", () => seen.count("active") === 0);
    t.diagnostic(
      `start ${startMs.toFixed(0)} ms, told ${lag.toFixed(0)} ms later; stop ${stopMs.toFixed(0)} ms`,
    );
    for (const name of names) await get().remove(UNITS, name);
  });

  test("a killed service is told at once, with the reason, and can be forgotten", async (t) => {
    const { manager } = get();
    const name = await get().service("kill", "ExecStart=/bin/sleep infinity");
    const seen = new Seen();
    await using _watch = await manager.watchUnits({ match: [name], onChange: seen.take });
    await manager.startUnit(name);
    await seen.until("active", () => seen.states.get(name)?.active === "active");
    await manager.killUnit(name, 9, "main");
    const ms = await seen.until("failed", () => seen.states.get(name)?.active === "failed");
    t.diagnostic(`told after ${ms.toFixed(0)} ms`);
    const state = seen.states.get(name);
    assert.deepEqual([state?.result, state?.execMainCode, state?.execMainStatus], ["signal", "killed", 9]);
    await manager.resetFailed(name);
    await seen.until("inactive", () => seen.states.get(name)?.active !== "failed");
  });

  test("a restart gives a new invocation", async () => {
    const { manager } = get();
    const name = await get().service("again", "ExecStart=/bin/sleep infinity");
    await manager.startUnit(name);
    const first = await manager.unitState(name);
    assert.equal((await manager.restartUnit(name)).result, "done");
    const second = await manager.unitState(name);
    assert.match(second.invocationId ?? "", /^[0-9a-f]{32}$/);
    assert.notEqual(second.invocationId, first.invocationId);
    assert.ok((second.activeEnterUsec ?? 0) > (first.activeEnterUsec ?? 0));
    assert.equal(second.fragmentPath, `/${UNITS}/${name}`);
    await manager.stopUnit(name);
  });

  test("jobs end with systemd's own results", async () => {
    const { manager } = get();
    const failing = await get().service("failing", "Type=oneshot", "ExecStart=/bin/false");
    assert.equal((await manager.startUnit(failing)).result, "failed");
    const state = await manager.unitState(failing);
    assert.deepEqual(
      [state.active, state.result, state.execMainCode, state.execMainStatus],
      ["failed", "exit-code", "exited", 1],
    );

    await get().write(
      UNITS,
      "kt-needs.service",
      `[Unit]\nRequires=${failing}\nAfter=${failing}\n[Service]\nExecStart=/bin/sleep 9\n`,
    );
    assert.equal((await manager.startUnit("kt-needs.service")).result, "dependency");
    await get().write(
      UNITS,
      "kt-assert.service",
      "[Unit]\nAssertPathExists=/nowhere\n[Service]\nExecStart=/bin/sleep 9\n",
    );
    assert.equal((await manager.startUnit("kt-assert.service")).result, "assert");

    const slow = await get().service("slow", "Type=oneshot", "ExecStart=/bin/sleep 60");
    const start = manager.startUnit(slow);
    const twin = manager.startUnit(slow);
    await patiently(async () => assert.equal((await manager.unitState(slow)).active, "activating"));
    assert.equal((await manager.stopUnit(slow)).result, "done");
    assert.deepEqual([(await start).result, (await twin).result], ["canceled", "canceled"]);
    await manager.resetFailed();
  });

  test("waiting ends with the time or the signal given for it; the job goes on", async () => {
    const { manager } = get();
    const slow = await get().service("slow", "Type=oneshot", "ExecStart=/bin/sleep 60");
    await assert.rejects(manager.startUnit(slow, { timeoutMs: 200 }), hasCode("timeout"));
    await assert.rejects(manager.startUnit(slow, { signal: AbortSignal.timeout(100) }), hasCode("aborted"));
    const { jobId } = await manager.unitState(slow);
    assert.ok(jobId !== undefined);
    await manager.cancelJob(jobId);
    await manager.stopUnit(slow);
  });

  test("what systemd refuses comes as its own error", async () => {
    const { manager } = get();
    await assert.rejects(manager.startUnit("kt-nowhere.service"), hasCode("unknown-unit"));
    await assert.rejects(manager.startUnit("no unit"), hasCode("invalid-name"));
    await get().write(UNITS, "kt-bad.service", "[Service]\nType=nonsense\n");
    await assert.rejects(manager.startUnit("kt-bad.service"), hasCode("bus-call"));
    assert.equal((await manager.unitState("kt-bad.service")).load, "bad-setting");
    assert.equal((await manager.unitState("kt-nowhere.service")).load, "not-found");
  });

  test("a changed file asks for a reload, and a reload tells of no running unit that it is gone", async () => {
    const { manager } = get();
    const name = await get().service("changed", "ExecStart=/bin/sleep infinity");
    await manager.startUnit(name);
    await get().service("changed", "ExecStart=/bin/sleep infinity", "Nice=1");
    const seen = new Seen();
    await using _watch = await manager.watchUnits({ match: ["kt-*"], onChange: seen.take, coalesceMs: 1 });
    assert.equal((await manager.unitState(name)).needDaemonReload, true);
    for (let round = 0; round < 5; round += 1) await manager.reload();
    await seen.until("loaded anew", () => seen.states.get(name)?.needDaemonReload === false);
    await pause(300);
    assert.deepEqual(
      seen.history.filter(([of, state]) => of === name && state?.active !== "active"),
      [],
    );
    await manager.stopUnit(name);
  });

  test("units are enabled and disabled until the next boot", async () => {
    const { manager } = get();
    await get().write(
      UNITS,
      "kt-wanted.service",
      "[Service]\nExecStart=/bin/sleep 9\n[Install]\nWantedBy=multi-user.target\n",
    );
    await manager.enable(["kt-wanted.service"]);
    await manager.reload();
    assert.match((await manager.unitState("kt-wanted.service")).unitFileState ?? "", /^enabled/);
    await manager.disable(["kt-wanted.service"]);
    await manager.reload();
    assert.equal((await manager.unitState("kt-wanted.service")).unitFileState, "disabled");
  });
}

function connectionTests(get: () => Bench): void {
  test("systemd starts itself anew, and nothing is lost", async () => {
    const { manager } = get();
    const name = await get().service("reexec", "ExecStart=/bin/sleep infinity");
    await manager.startUnit(name);
    const seen = new Seen();
    await using _watch = await manager.watchUnits({ match: [name], onChange: seen.take });
    const first = seen.states.get(name)?.invocationId;
    await manager.reexecute();
    assert.equal((await manager.restartUnit(name)).result, "done");
    await seen.until("the new invocation", () => {
      const state = seen.states.get(name);
      return state?.active === "active" && state.invocationId !== first;
    });
    assert.ok(seen.history.every(([, state]) => state !== undefined));
    await manager.stopUnit(name);
  });

  test("the bus goes away for a second: calls wait, and what happened meanwhile is told", async (t) => {
    const { manager, logged } = get();
    const ending = await get().service("ending", "ExecStart=/bin/sleep 1.2");
    const blink = await get().service(
      "blink",
      "Type=oneshot",
      "ExecStart=/bin/sh -c 'sleep 0.5; systemctl stop dbus.socket dbus.service; sleep 1.5; systemctl start dbus.socket dbus.service'",
    );
    const seen = new Seen();
    await using _watch = await manager.watchUnits({ match: [ending, blink], onChange: seen.take });
    const lost = manager.startUnit(blink);
    await manager.startUnit(ending);
    await seen.until("running", () => seen.states.get(ending)?.active === "active");
    await pause(1000);
    const waited = performance.now();
    await manager.systemState();
    t.diagnostic(
      `a call made without a bus was answered after ${(performance.now() - waited).toFixed(0)} ms`,
    );
    await seen.until("ended meanwhile", () => seen.states.get(ending)?.active !== "active");
    // On a busy machine the bus goes away later.
    await patiently(() =>
      assert.ok(
        logged.includes("the bus connection was lost") && logged.includes("the bus connection is back"),
      ),
    );
    assert.equal((await lost).result, "done");
    assert.equal((await manager.restartUnit(ending)).result, "done");
    await manager.stopUnit(ending);
  });

  test("dbus is restarted through itself", async () => {
    const { manager } = get();
    try {
      assert.equal((await manager.restartUnit("dbus.service")).result, "done");
    } catch (error) {
      assert.ok(hasCode("bus-closed")(error), String(error));
    }
    const name = await get().service("later", "ExecStart=/bin/sleep infinity");
    assert.equal((await manager.startUnit(name)).result, "done");
    assert.equal((await manager.stopUnit(name)).result, "done");
  });

  test("a client that is disposed of refuses what is under way", async () => {
    const slow = await get().service("slow", "Type=oneshot", "ExecStart=/bin/sleep 60");
    const { socketPath } = get();
    const other = await SystemdManager.connect({ socketPath });
    const start = assert.rejects(other.startUnit(slow), hasCode("aborted"));
    await pause(100);
    await other[Symbol.asyncDispose]();
    await start;
    await assert.rejects(other.systemState(), SystemdError);
    await get().manager.stopUnit(slow);
    await assert.rejects(
      SystemdManager.connect({ socketPath: `${socketPath}.none` }),
      hasCode("bus-unavailable"),
    );
  });
}

/** Files that podman is asked about all at once; each is right or wrong by itself. */
const QUADLET_CASES: readonly (readonly [name: string, text: string, generated: boolean])[] = [
  [
    "kt-a.container",
    "[Container]\nImage=localhost/none\nVolume=kt-a.volume:/a\nNetwork=kt-a.network\n",
    true,
  ],
  ["kt-t@.container", "[Container]\nImage=localhost/none\nExec=%i\n", true],
  ["kt-i@1.container", "[Container]\nImage=kt-a.image\n", true],
  ["kt-p.container", "[Container]\nImage=kt-a.build\nPod=kt-a.pod\n", true],
  ["kt-named.container", '[Container]\nImage="localhost/none"\nServiceName=kt-other\n', true],
  [
    "kt-mount.container",
    "[Container]\nRootfs=/none\nMount=type=volume,source=kt-a.volume,destination=/m\n",
    true,
  ],
  ["kt-a.volume", "[Volume]\n", true],
  ["kt-b.volume", "[Volume]\nDriver=image\nImage=kt-a.image\n", true],
  ["kt-a.network", "[Network]\nSubnet=10.9.0.0/24\nGateway=10.9.0.1\n", true],
  ["kt-a.pod", "[Pod]\nPublishPort=127.0.0.1:8080:80\n", true],
  ["kt-a.kube", "[Kube]\nYaml=/none.yaml\n", true],
  ["kt-a.build", "[Build]\nImageTag=localhost/built\nFile=/none\n", true],
  ["kt-a.image", "[Image]\nImage=localhost/none\n", true],
  ["kt-key.container", "[Container]\nImage=localhost/none\nImge=x\n", false],
  ["kt-none.container", "[Container]\nExec=x\n", false],
  ["kt-both.container", "[Container]\nImage=localhost/none\nRootfs=/none\n", false],
  ["kt-none.image", "[Image]\n", false],
  ["kt-none.kube", "[Kube]\n", false],
  ["kt-none.build", "[Build]\nFile=/none\n", false],
  ["kt-where.build", "[Build]\nImageTag=localhost/built\n", false],
  ["kt-range.network", "[Network]\nGateway=10.9.0.1\n", false],
  ["kt-none.volume", "[Volume]\nDriver=image\n", false],
];

function quadletTests(get: () => Bench): void {
  test("podman makes the service that we name of each kind, and refuses what lint refuses", async () => {
    const { manager } = get();
    for (const [name, text] of QUADLET_CASES) await get().write(QUADLETS, name, text);
    await manager.reload();
    for (const [name, text, generated] of QUADLET_CASES) {
      const file = UnitFile.parse(text);
      const errors = lintQuadlet(name, file).filter(({ severity }) => severity === "error");
      assert.equal(errors.length === 0, generated, `lint of ${name}`);
      const service = serviceNameOf(name, file).replace("@.", "@x.");
      const state = await manager.unitState(service);
      assert.equal(state.load, generated ? "loaded" : "not-found", `${service} of ${name}`);
      if (generated) assert.match(state.fragmentPath ?? "", /^\/run\/systemd\/generator\//);
    }
    for (const [name] of QUADLET_CASES) await get().remove(QUADLETS, name);
    await manager.reload();
  });
}

function journalTests(get: () => Bench): void {
  const messageOf = ({ message }: JournalEntry): string => Buffer.from(message).toString();

  test("what a service writes is read back, whole and with its invocation", async () => {
    const { manager } = get();
    const name = await get().service(
      "writes",
      "Type=oneshot",
      "RemainAfterExit=yes",
      'ExecStart=/bin/sh -c \'echo first; head -c 9000 /dev/zero | tr "\\\\0" x; echo; printf "\\\\377\\\\376z\\\\n"; echo "<3>bad"; echo last\'',
    );
    const sinceUsec = Date.now() * 1000 - 1000;
    await manager.restartUnit(name);
    const { invocationId } = await manager.unitState(name);
    const entries = await untilWritten(
      () => Array.fromAsync(readJournal({ units: [name], sinceUsec }, { spawn: get().spawn })),
      "last",
    );
    const own = entries.filter((entry) => entry.pid !== 1 && entry.invocationId === invocationId);
    assert.deepEqual(
      own.map(({ message }) => (typeof message === "string" ? message.length : [...message])),
      [5, 9000, [255, 254, 122], 3, 4],
    );
    assert.deepEqual(
      own.map(({ priority }) => priority),
      [6, 6, 6, 3, 6],
    );
    assert.ok(own.every((entry) => entry.unit === name && entry.invocationId === invocationId));
    const byInvocation = await Array.fromAsync(readJournal({ invocationId }, { spawn: get().spawn }));
    assert.deepEqual(
      byInvocation.map(({ cursor }) => cursor),
      entries.map(({ cursor }) => cursor),
    );
    const last = await Array.fromAsync(readJournal({ units: [name], lines: 1 }, { spawn: get().spawn }));
    assert.equal(last[0]?.cursor, entries.at(-1)?.cursor);
    const [first, second] = own;
    assert.ok(first && second);
    const window = { units: [name], sinceUsec: first.realtimeUsec, untilUsec: first.realtimeUsec };
    const windowed = await Array.fromAsync(readJournal(window, { spawn: get().spawn }));
    assert.ok(windowed.some(({ cursor }) => cursor === first.cursor));
    const rest = await Array.fromAsync(
      readJournal({ units: [name], afterCursor: first.cursor }, { spawn: get().spawn }),
    );
    assert.equal(rest[0]?.cursor, second.cursor);
  });

  async function untilWritten(read: () => Promise<JournalEntry[]>, last: string): Promise<JournalEntry[]> {
    return await patiently(async () => {
      const entries = await read();
      if (entries.some((entry) => messageOf(entry) === last)) return entries;
      throw new Error(`${last} is not in the journal`);
    });
  }

  test("following goes on behind journalctl's death without a gap or a double", async (t) => {
    const { manager } = get();
    const name = await get().service(
      "counts",
      "Type=exec",
      "ExecStart=/bin/sh -c 'i=0; while [ $i -lt 600 ]; do echo n$i; i=$((i+1)); [ $((i%%10)) = 0 ] && sleep 0.05; done; echo end'",
    );
    const children: JournalChild[] = [];
    const spawn = (command: readonly string[]): JournalChild => {
      const child = get().spawn(command);
      children.push(child);
      return child;
    };
    const stop = new AbortController();
    const read: string[] = [];
    const following = (async () => {
      for await (const entry of followJournal({ units: [name], lines: 0 }, { spawn, signal: stop.signal })) {
        if (entry.pid === 1) continue;
        read.push(messageOf(entry));
        if (read.length % 150 === 0) children.at(-1)?.kill();
        if (messageOf(entry) === "end") return;
      }
    })();
    await pause(300);
    await manager.startUnit(name);
    const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
    await following;
    clearTimeout(timer);
    assert.deepEqual(read, [...Array.from({ length: 600 }, (_, index) => `n${index}`), "end"]);
    t.diagnostic(`${children.length} runs of journalctl`);
    assert.ok(children.length >= 5);
  });

  test("following ends with its signal", async () => {
    const stop = new AbortController();
    const following = Array.fromAsync(
      followJournal({ units: ["kt-none.service"], lines: 5 }, { spawn: get().spawn, signal: stop.signal }),
    );
    await pause(300);
    stop.abort();
    assert.deepEqual(await following, []);
  });
}

// Whole rollouts by a seed: machines that fail, vanish, lie and lose events; a server that crashes between an entry
// and its answer; a clock that jumps. What must hold stands in invariants.ts and in `calm` here.
// KEELSON_SEED=N replays one, KEELSON_ROLLOUTS=N plays so many.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../../../src/base/random.ts";
import type { Random } from "../../../src/base/random.ts";
import { defaultPolicy } from "../../../src/model/update-service.ts";
import type { UpdatePolicy } from "../../../src/model/update-service.ts";
import { ClockFaces } from "../../../src/update-policy/clock-faces.ts";
import { decodeEntry, encodeEntry } from "../../../src/update-policy/entries.ts";
import type { Entry } from "../../../src/update-policy/entries.ts";
import { Ledger } from "../../../src/update-policy/ledger.ts";
import type { Checked } from "../../../src/update-policy/ledger.ts";
import { describeReason } from "../../../src/update-policy/reasons.ts";
import { HOUR, MINUTE, app, configuration, events, noon, request } from "../fleet-under-test.ts";
import { Client } from "./client.ts";
import { Watch } from "./invariants.ts";

const DAY = 24 * HOUR;

class Play {
  readonly random: Random;
  /** Looking must change nothing, and so has chances of its own. */
  readonly #looks = seededRandom(7);
  readonly #clocks = new ClockFaces();
  readonly policy: UpdatePolicy;
  readonly clients: Client[];
  readonly bad: ReadonlySet<string>;
  readonly configuration;
  readonly log: Entry[] = [];
  watch: Watch;
  ledger: Ledger;
  wall = noon;
  granted = 0;
  /** How often the server dies before an answer is sent. */
  crashes = 0.02;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const chance = (share: number): boolean => this.random.next() < share;
    const pick = <T>(...values: readonly T[]): T =>
      values[Math.floor(this.random.next() * values.length)] as T;
    this.policy = {
      ...defaultPolicy,
      paused: chance(0.03),
      waves: pick(
        defaultPolicy.waves,
        [],
        [
          { percent: 10, afterSeconds: 0, successes: 0 },
          { percent: 100, afterSeconds: 1800, successes: 2 },
        ],
      ),
      atOnce: pick(null, 1, 2, 5, 10),
      perPeriod: pick(null, { count: 2, seconds: 1800 }, { count: 7, seconds: 7200 }),
      windows: chance(0.3)
        ? [
            {
              days: ["thu", "sat", "sun"],
              start: "04:00",
              minutes: 240,
              timezone: pick("UTC", "Europe/Berlin", "America/New_York"),
            },
          ]
        : [],
      exclude: [{ field: "oem", equals: "rogue" }],
      halt: pick(null, defaultPolicy.halt, { failures: 3, share: 1, ofAtLeast: 100 }),
      backTo: pick("off", "last-good"),
      healthSeconds: pick(0, 0, 300),
      grantSeconds: pick(600, 3600),
      verified: pick("any", "required"),
      wariness: [{ match: { field: "oem", equals: "plain" } as const, turn: "late" as const }].slice(
        0,
        chance(0.2) ? 1 : 0,
      ),
    };
    const size = 5 + Math.floor(this.random.next() * 40);
    this.clients = Array.from(
      { length: size },
      (_, number) =>
        new Client(number, { verified: chance(0.7), broken: chance(0.08), excluded: chance(0.05) }),
    );
    this.bad = new Set(chance(0.3) ? ["2.0.0"] : []);
    this.configuration = configuration({
      policy: this.policy,
      floors: chance(0.3) ? [{ version: "1.5.0", reason: "new keys" }] : [],
    });
    this.ledger = new Ledger(this.configuration);
    this.watch = new Watch(this.policy);
  }

  /** Returns whether the answer was sent: the server may have died before. */
  #durable(entries: readonly Entry[]): boolean {
    const crashes = this.random.next() < this.crashes;
    const kept = crashes ? entries.slice(0, Math.floor(this.random.next() * (entries.length + 1))) : entries;
    for (const entry of kept) {
      this.watch.see(entry);
      this.log.push(entry);
    }
    if (crashes) this.ledger = this.#replayed();
    return !crashes;
  }

  #replayed(): Ledger {
    const ledger = new Ledger(this.configuration);
    for (const entry of this.log) ledger.apply(decodeEntry(encodeEntry(entry)));
    return ledger;
  }

  ask(client: Client, onDemand = false): void {
    const checked = this.ledger.check(client.request({ onDemand }), this.wall);
    if (onDemand) this.watch.excuse(checked.entries);
    if (checked.decision.answer === "none" && !onDemand) this.#isTrue(client, checked);
    if (!this.#durable(checked.entries)) return;
    // Answers get lost too.
    if (checked.decision.answer === "update" && this.random.next() > 0.03) {
      this.granted += 1;
      client.given(checked.decision.package.version);
    }
  }

  /** What was told is what is shown. */
  #isTrue(client: Client, { decision }: Checked): void {
    if (decision.answer === "update" || this.ledger.state.fleets.get(app)?.row(client.id) === undefined)
      return;
    if (this.#looks.next() > 0.2) return;
    const shown = this.ledger.why(app, client.id, this.wall);
    assert.deepEqual(shown, decision.reason);
    this.#facts(client);
  }

  /** The facts of a reason, taken from the configuration and the entries. */
  #facts(client: Client): void {
    const reason = this.ledger.why(app, client.id, this.wall);
    assert.match(describeReason(reason, { now: this.wall, clocks: this.#clocks }), /^[a-z ]+: .{5,}$/);
    switch (reason.code) {
      case "slots":
        assert.equal(reason.taken, this.watch.live.size);
        assert.equal(reason.of, this.policy.atOnce);
        assert.ok(reason.taken >= reason.of);
        assert.ok((reason.nextAt ?? 0) >= this.wall - 1000);
        return;
      case "paused":
        return assert.ok(this.policy.paused);
      case "halted":
        return assert.ok(this.watch.halted.has(reason.version));
      case "current":
        return assert.equal(reason.version, client.version);
      case "excluded":
        return assert.ok(client.nature.excluded);
      case "window": {
        const { weekday, hour } = there(this.wall, this.policy.windows[0]?.timezone ?? "UTC");
        assert.ok(!(["Thu", "Sat", "Sun"].includes(weekday) && hour >= 4 && hour < 8));
        const opens = there(reason.opensAt ?? 0, this.policy.windows[0]?.timezone ?? "UTC");
        assert.ok(["Thu", "Sat", "Sun"].includes(opens.weekday) && opens.hour === 4);
        return;
      }
      case "wave":
      case "period":
        return assert.ok(
          reason.code === "wave"
            ? reason.opensAt >= this.wall || reason.missing !== undefined
            : reason.nextAt > this.wall,
        );
      case "unverified":
        return assert.ok(!client.nature.verified && this.policy.verified === "required");
      case "quarantined":
        return assert.ok(reason.failure.fellBack || reason.failure.tries >= this.policy.attempts);
      default:
        return;
    }
  }

  act(client: Client): void {
    const step = client.step(this.random, this.bad);
    if (step === undefined) return;
    if ("ask" in step) {
      if (client.fellBack) this.tell(client, "rolledBack");
      return this.ask(client, this.random.next() < 0.02);
    }
    // Lost, or heard twice.
    const luck = this.random.next();
    for (let times = luck < 0.1 ? 0 : luck < 0.2 ? 2 : 1; times > 0; times--) this.tell(client, step.event);
  }

  tell(client: Client, event: keyof typeof events): void {
    this.#durable(this.ledger.report({ ...client.request(), event: events[event] }, this.wall).entries);
  }

  /** Somebody without a proof speaks for a machine that has one. */
  lie(): void {
    const victim = this.clients[Math.floor(this.random.next() * this.clients.length)];
    const fleet = this.ledger.state.fleets.get(app);
    const row = victim === undefined ? undefined : fleet?.row(victim.id);
    if (victim === undefined || row === undefined || !victim.nature.verified) return;
    const forged = request(victim.number, { version: "0.0.1" });
    const { entries } = this.ledger.report({ ...forged, event: events.rolledBack }, this.wall);
    const checked = this.ledger.check(forged, this.wall);
    assert.equal(checked.decision.answer, "none");
    const ofVictim = [...entries, ...checked.entries].filter(
      (entry) => "machine" in entry && entry.machine === victim.id,
    );
    assert.ok(
      ofVictim.every((entry) => entry.kind === "ended" && (entry.how === "lapsed" || entry.how === "done")),
      "a liar left a trace",
    );
    this.#durable([...entries, ...checked.entries]);
  }

  rage(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.wall += Math.floor(this.random.next() * 4 * MINUTE);
      const luck = this.random.next();
      if (luck < 0.01) this.wall += (this.random.next() - 0.5) * 6 * HOUR;
      if (luck > 0.97) this.lie();
      const client = this.clients[Math.floor(this.random.next() * this.clients.length)];
      if (client === undefined || client.awayUntil > this.wall) continue;
      if (this.random.next() < 0.01)
        client.awayUntil = this.random.next() < 0.3 ? Infinity : this.wall + 5 * HOUR;
      else this.act(client);
      if (luck < 0.05) this.#durable(this.ledger.sweep(this.wall));
      assert.equal(this.ledger.state.group(app, "prod")?.taken ?? 0, this.watch.live.size);
    }
  }

  /** Days go by, and everybody who is there comes back every 45 minutes. */
  calm(): void {
    for (const client of this.clients) if (client.awayUntil < Infinity) client.awayUntil = 0;
    this.crashes = 0;
    const end = this.wall + 12 * DAY;
    for (; this.wall < end; this.wall += 45 * MINUTE) {
      for (const client of this.clients) if (client.awayUntil < Infinity) this.act(client);
    }
    this.#durable(this.ledger.sweep(this.wall));
    const ended = new Set([
      "current",
      "halted",
      "paused",
      "excluded",
      "unverified",
      "quarantined",
      "unknown-machine",
      "wave",
    ]);
    for (const client of this.clients) {
      const reason = this.ledger.why(app, client.id, this.wall);
      if (client.awayUntil === Infinity) continue;
      const text = `${client.id}: ${describeReason(reason, { now: this.wall, clocks: this.#clocks })}`;
      // Twelve days of bad luck with a client of a slow group end where the others do, or on their way.
      const onTheWay =
        ["ready", "updating", "window", "slots", "period"].includes(reason.code) && !this.#settled();
      assert.ok(ended.has(reason.code) || onTheWay, text);
      if (reason.code === "wave") assert.ok((reason.missing ?? 0) > 0, text);
      if (reason.code === "current") assert.equal(client.version, reason.version);
    }
    const replayed = this.#replayed();
    assert.deepEqual([...replayed.snapshot()], [...this.ledger.snapshot()]);
    const restored = Ledger.restore(this.ledger.snapshot(), this.configuration);
    assert.deepEqual([...restored.snapshot()], [...this.ledger.snapshot()]);
  }

  /** Whether nothing happened for two days: whoever is not at an end then never will be. */
  #settled(): boolean {
    const last = this.log.findLast(({ kind }) => kind === "granted" || kind === "moved");
    return last === undefined || last.at < this.wall + this.ledger.state.ahead - 3 * DAY;
  }
}

function there(when: number, timezone: string): { weekday: string; hour: number } {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    weekday: "short",
    hour: "2-digit",
    hourCycle: "h23",
  }).formatToParts(when);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? "";
  return { weekday: part("weekday"), hour: Number(part("hour")) };
}

function play(seed: number): Play {
  const one = new Play(seed);
  try {
    one.rage(600);
    one.calm();
    return one;
  } catch (error) {
    const tail = one.log.slice(-40).map(encodeEntry).join("\n");
    const again = `KEELSON_SEED=${seed} node --test packages/keelson/test/update-policy/simulation/rollouts.test.ts`;
    throw new Error(`${tail}\n${(error as Error).message}\nplay it again: ${again}`, { cause: error });
  }
}

describe("simulated rollouts", () => {
  const only = process.env["KEELSON_SEED"];
  const count = Number(process.env["KEELSON_ROLLOUTS"] ?? 8);
  const seeds = only === undefined ? Array.from({ length: count }, (_, seed) => seed + 1) : [Number(only)];
  test(`seeds ${seeds[0]} to ${seeds.at(-1)}`, () => {
    const granted = seeds.map((seed) => play(seed).granted);
    if (only === undefined) assert.ok(Math.max(...granted) > 15, "nothing was rolled out");
  });
});

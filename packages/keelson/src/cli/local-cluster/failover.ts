// What happens after a plug was pulled, with the time of each step: lost, placed elsewhere, healthy again.
import { KeelError } from "../../base/errors.ts";
import type { InstanceView } from "../../api/wire/instance.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import type { Invocation } from "../invocation.ts";
import { count } from "../plan-text.ts";

export interface FailoverEvent {
  /** Since the plug was pulled. */
  readonly ms: number;
  readonly what: string;
}

export interface FailoverWatch {
  /** To be called once the plug is pulled. Resolves when everything runs elsewhere. Throws KEEL-602. */
  outcome(): Promise<readonly FailoverEvent[]>;
}

/** Notes what runs on the machines now; the watch begins when `outcome` is called. */
export async function watchFailover(
  keel: Invocation,
  machines: readonly string[],
  timeoutMs: number,
): Promise<FailoverWatch> {
  const client = await keel.daemon();
  const before = await client.snapshot();
  const affected = before.instances.filter((instance) => isAffected(instance, machines));
  return {
    async outcome() {
      const started = keel.clock.now();
      const events: FailoverEvent[] = [];
      const said = new Set<string>();
      const say = (what: string): void => {
        if (said.has(what)) return;
        said.add(what);
        events.push({ ms: keel.clock.now() - started, what });
      };
      await keel.progress.run(
        `${count(affected.length, "instance")} of ${machines.join(", ")}`,
        async (step) => {
          for (;;) {
            keel.signal.throwIfAborted();
            const snapshot = await client.snapshot();
            const done = observe(snapshot, machines, affected, say);
            step.update(events.at(-1)?.what ?? "nobody has noticed yet");
            if (done) return;
            if (keel.clock.now() - started > timeoutMs) throw tooLate(snapshot, machines, affected);
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        },
      );
      return events;
    },
  };
}

/** Instances that must run somewhere else: what did not run before is not waited for. */
function isAffected(instance: InstanceView, machines: readonly string[]): boolean {
  return machines.includes(instance.machineName ?? "") && !instance.companion && instance.state === "healthy";
}

function observe(
  snapshot: SnapshotView,
  machines: readonly string[],
  affected: readonly InstanceView[],
  say: (what: string) => void,
): boolean {
  const lost = machines.filter(
    (name) => snapshot.machines.find((machine) => machine.name === name)?.state !== "up",
  );
  for (const name of lost) say(`${name} is lost: its lease ended`);
  for (const instance of affected) {
    const now = elsewhere(snapshot, instance, machines);
    if (now) say(`${instance.name} is placed on ${now.machineName ?? ""}`);
    if (now?.state === "healthy") say(`${instance.name} is healthy on ${now.machineName ?? ""}`);
  }
  return (
    lost.length === machines.length &&
    affected.every((instance) => elsewhere(snapshot, instance, machines)?.state === "healthy")
  );
}

function elsewhere(
  snapshot: SnapshotView,
  instance: InstanceView,
  machines: readonly string[],
): InstanceView | undefined {
  return snapshot.instances.find(
    ({ name, machineName }) =>
      name === instance.name && machineName !== null && !machines.includes(machineName),
  );
}

function tooLate(
  snapshot: SnapshotView,
  machines: readonly string[],
  affected: readonly InstanceView[],
): KeelError {
  const missing = affected.filter((instance) => elsewhere(snapshot, instance, machines)?.state !== "healthy");
  const alarms = Object.values(snapshot.alarms);
  const words = alarms.length > 0 ? alarms.join("; ") : missing.map((instance) => instance.name).join(", ");
  return new KeelError("KEEL-602", `not everything runs elsewhere yet: ${words}`, {
    hint: `\`keel why ${missing[0]?.name ?? "UNIT"}\` says what it waits for`,
  });
}

// What `keel doctor` looks at in a cluster: pure, over a snapshot.
import type { HealthView } from "../../api/wire/health.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import { count } from "../plan-text.ts";

export type CheckState = "ok" | "warn" | "fail";

export interface Check {
  readonly what: string;
  readonly state: CheckState;
  /** What was found, in words. */
  readonly found: string;
  /** What to do; empty when all is well. */
  readonly remedy: string;
}

/** Checks over what the daemon says. */
export function clusterChecks(health: HealthView, snapshot: SnapshotView): readonly Check[] {
  return [
    storeCheck(health),
    leaderCheck(snapshot),
    machinesCheck(snapshot),
    ...serviceChecks(snapshot),
    ...alarmChecks(snapshot),
    unitsCheck(snapshot),
    limitsCheck(snapshot),
  ];
}

function check(what: string, state: CheckState, found: string, remedy = ""): Check {
  return { what, state, found, remedy: state === "ok" ? "" : remedy };
}

function storeCheck({ contact }: HealthView): Check {
  if (contact.hasContact) return check("store", "ok", `answered ${contact.ageMs ?? 0} ms ago`);
  const since =
    contact.ageMs === null
      ? "has never answered"
      : `has not answered for ${Math.round(contact.ageMs / 1000)} s`;
  return check("store", "fail", since, "`keel up` starts it again; what runs goes on meanwhile");
}

function leaderCheck({ leader }: SnapshotView): Check {
  if (leader === null)
    return check(
      "leader",
      "fail",
      "there is none: nothing is placed",
      "it is elected within seconds; if not, look at `keel machine list`",
    );
  return check("leader", "ok", leader.name ?? leader.machine);
}

/** Machines that people have taken out of service. */
function serviceChecks({ machines }: SnapshotView): Check[] {
  return machines
    .filter(({ cordoned, drain }) => cordoned === true || drain !== undefined)
    .map(({ name, drain, instances }) => {
      const why = drain === undefined || drain.reason === "" ? "" : ` (${drain.reason})`;
      const what = drain === undefined ? "is cordoned" : `is being drained${why}`;
      const left = drain !== undefined && instances === 0 ? "is drained and empty" + why : what;
      return check(
        `machine ${name}`,
        "warn",
        left,
        `\`keel machine uncordon ${name}\` puts it into service again`,
      );
    });
}

/** What a rebalancing would move, when it would move anything. */
export function balanceCheck(moves: number): readonly Check[] {
  if (moves === 0) return [];
  const found = `${count(moves, "instance")} would be better off on machines with fewer`;
  return [
    check("balance", "warn", found, "`keel rebalance --dry-run` shows them, `keel rebalance` moves them"),
  ];
}

function machinesCheck({ machines }: SnapshotView): Check {
  const lost = machines.filter((machine) => machine.state !== "up").map(({ name }) => name);
  const up = machines.length - lost.length;
  if (machines.length === 0)
    return check("machines", "fail", "there are none", "`keel machine add` makes one");
  if (lost.length === 0) return check("machines", "ok", `${count(up, "machine")} up`);
  const remedy = `\`keel machine start ${lost[0]}\` turns it on, \`keel machine rm ${lost[0]}\` forgets it`;
  return check("machines", up === 0 ? "fail" : "warn", `${lost.join(", ")} lost, ${up} up`, remedy);
}

function alarmChecks({ alarms }: SnapshotView): readonly Check[] {
  return Object.entries(alarms).map(([name, words]) =>
    check(
      `alarm ${name}`,
      "fail",
      words,
      "bring the machines back, or `keel machine rm` those that are gone for good",
    ),
  );
}

function unitsCheck({ units }: SnapshotView): Check {
  const bad = units.filter(
    (unit) => unit.state === "failed" || unit.state === "degraded" || unit.state === "waiting",
  );
  if (bad.length === 0) return check("units", "ok", `${count(units.length, "unit")} as desired`);
  const [first] = bad;
  const found = `${bad.length} of ${units.length} not as desired: ${bad
    .slice(0, 3)
    .map((unit) => `${unit.name} ${unit.state}`)
    .join(", ")}`;
  return check("units", "warn", found, `\`keel why ${first?.name ?? ""}\` says why`);
}

function limitsCheck({ machines }: SnapshotView): Check {
  const unenforced = [...new Set(machines.flatMap((machine) => machine.capacity?.unenforced ?? []))];
  if (unenforced.length === 0)
    return check("limits", "ok", "memory, cpu and pids limits of units are enforced");
  const found = `limits of units on ${unenforced.join(", ")} are not enforced here`;
  return check(
    "limits",
    "warn",
    found,
    "the host’s cgroup2 lacks these controllers: boot it without cgroup v1",
  );
}

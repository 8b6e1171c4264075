// One instance: the leader's order, the machine's answer, and what both come to in one word.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import { templateName } from "../../model/unit-name.ts";
import type { InstanceState, InstanceView } from "../wire/instance.ts";

/** The unit that an instance comes from: its own record if there is one, else its template. */
export function unitOf(name: string, snapshot: ClusterSnapshot): string {
  return snapshot.units.has(name) ? name : (templateName(name) ?? name);
}

export interface InstanceSources {
  readonly name: string;
  readonly unit: string;
  readonly machine: string;
  readonly machineName: string;
  readonly isUp: boolean;
  readonly entry: ScheduleEntry | undefined;
  readonly status: UnitStatus | undefined;
}

/** An instance that has an order, or that still shows on a machine without one. `held`: why it may not start there yet, or not move. */
export function instanceOn(
  sources: InstanceSources,
  { held, unenforced }: { readonly held: string | undefined; readonly unenforced: readonly string[] },
): InstanceView {
  const { name, unit, machine, machineName, entry, status } = sources;
  const { state, reason } = held === undefined ? outcome(sources) : heldBack(sources, held);
  return {
    key: `${machine}/${name}`,
    name,
    unit,
    machine,
    machineName,
    desired: held === undefined && !hasRun(sources) ? (entry?.desired ?? "inactive") : "launched",
    state,
    load: status?.load ?? "",
    active: status?.active ?? "",
    sub: status?.sub ?? "",
    health: status?.health ?? "unknown",
    hash: entry?.hash ?? status?.hash ?? "",
    invocation: status?.invocation ?? "",
    since: status?.since ?? null,
    restarts: entry?.restarts ?? status?.restarts ?? 0,
    reason,
    failures: status?.failures ?? null,
    because: entry?.because ?? "",
    addresses: state === "unknown" ? [] : (status?.addresses ?? []),
    placed: entry?.placed ?? null,
    steps: status?.steps ?? {},
    companion: entry?.companion ?? false,
    ...(unenforced.length === 0 ? {} : { unenforced }),
  };
}

function heldBack({ isUp, machineName }: InstanceSources, held: string): ReturnType<typeof outcome> {
  if (isUp) return { state: "waiting", reason: held };
  const known = `${machineName} does not report; `;
  const why = held.startsWith(known) ? held.slice(known.length) : held;
  return { state: "unknown", reason: `${machineName} is lost; ${why}` };
}

/** An instance that should run and has no machine. */
export function instanceWaiting({
  name,
  unit,
  hash,
  desired,
  reason,
}: Pick<InstanceView, "name" | "unit" | "hash" | "desired" | "reason">): InstanceView {
  return {
    key: `/${name}`,
    name,
    unit,
    machine: null,
    machineName: null,
    desired,
    state: "waiting",
    load: "",
    active: "",
    sub: "",
    health: "unknown",
    hash,
    invocation: "",
    since: null,
    restarts: 0,
    reason,
    failures: null,
    because: "",
    addresses: [],
    placed: null,
    steps: {},
    companion: false,
  };
}

/** Whether an instance is as it should be. */
export function isAsDesired(instance: InstanceView): boolean {
  switch (instance.desired) {
    case "launched":
      return instance.state === "healthy" || instance.state === "succeeded";
    case "loaded":
      return instance.state === "loaded";
    case "inactive":
      return false;
  }
}

function outcome(sources: InstanceSources): { readonly state: InstanceState; readonly reason: string } {
  const { entry, status, machineName } = sources;
  if (!sources.isUp) return { state: "unknown", reason: `${machineName} is lost` };
  if (!entry && status?.ended !== undefined && hasRun(sources)) {
    const { result } = status.ended;
    return { state: result, reason: result === "failed" ? status.reason : "" };
  }
  if (!entry) return { state: "stopped", reason: `being removed from ${machineName}` };
  if (!status) return { state: "placed", reason: `no word from ${machineName} yet` };
  if (status.hash !== entry.hash)
    return { state: "starting", reason: status.reason || "its new file is on the way" };
  if (status.restarts < entry.restarts) {
    const isFirst = status.restarts < 0 && status.active !== "active";
    return { state: "starting", reason: status.reason || (isFirst ? "being started" : "being restarted") };
  }
  const state = stateOf(entry, status);
  const isWanted = ["healthy", "loaded", "running", "succeeded"].includes(state);
  return { state, reason: isWanted ? "" : status.reason || systemdWords(status) };
}

/** It ran to its end and is on its way out: that is how it is, and stays. */
const hasRun = ({ entry, status }: Pick<InstanceSources, "entry" | "status">): boolean =>
  entry === undefined && status?.ended !== undefined && status.ended.givenUp !== true;

function stateOf(entry: ScheduleEntry, status: UnitStatus): InstanceState {
  if (entry.run !== undefined && entry.run === status.run) {
    if (status.ended?.result === "succeeded") return "succeeded";
    if (status.ended === undefined && status.health !== "failed") return "running";
  }
  if (entry.desired === "loaded" && status.health === "stopped") return "loaded";
  switch (status.health) {
    case "starting":
    case "healthy":
    case "unhealthy":
    case "failed":
    case "stopped":
    case "unknown":
      return status.health;
  }
}

const systemdWords = ({ load, active, sub }: UnitStatus): string =>
  `systemd says ${load}, ${active} (${sub})`;

// How often, where, with how much, and how it is replaced: `deploy`, `restart`, and the limits beside them.
import { Fields } from "./fields.ts";
import type { Lines } from "./lines.ts";
import { memoryText, seconds } from "./quantities.ts";
import type { ServiceContext } from "./service.ts";

/** Whether the file describes more than one instance, or may. */
export function replicasOf(service: Fields): number | undefined {
  return service.inner("deploy").number("replicas") ?? service.number("scale");
}

export function addDeploy(service: Fields, lines: Lines, context: ServiceContext): void {
  const deploy = service.inner("deploy");
  service.number("scale");
  const isTemplate = context.unitOf(context.name).includes("@.");
  const replicas = deploy.number("replicas") ?? service.number("scale");
  if (isTemplate) lines.add("X-Keelson", "Replicas", replicas);
  addRestart(service, deploy, lines);
  addResources(service, deploy.inner("resources"), lines);
  addPlacement(deploy, lines, { ...context, isTemplate });
  addUpdates(deploy.inner("update_config"), lines, isTemplate);
  deploy.inner("rollback_config").noteRest();
  if (deploy.pairs("labels").length > 0) deploy.note("labels", "a unit has no labels and they were left out");
  deploy.noteRest();
}

function addRestart(service: Fields, deploy: Fields, lines: Lines): void {
  const restart = service.text("restart");
  const policy = deploy.inner("restart_policy");
  const condition = policy.text("condition") ?? (policy.keys().length > 0 ? "any" : restart);
  const [word = "", most = policy.text("max_attempts")] = (condition ?? "no").split(":");
  const known = new Map([
    ["no", "no"],
    ["none", "no"],
    ["always", "always"],
    ["unless-stopped", "always"],
    ["any", "always"],
    ["on-failure", "on-failure"],
  ]);
  const value = known.get(word);
  if (value === undefined) service.note("restart", `${word} has no equivalent and was left out`);
  const window = policy.text("window");
  if (most !== undefined) lines.add("Unit", "StartLimitBurst", Number(most) + 1);
  if (most !== undefined || window !== undefined)
    lines.add(
      "Unit",
      "StartLimitIntervalSec",
      window === undefined ? 86_400 : seconds(window, policy.at("window")),
    );
  lines.add("Service", "Restart", value ?? "no");
  const delay = policy.text("delay");
  if (value !== "no")
    lines.add("Service", "RestartSec", delay === undefined ? 1 : seconds(delay, policy.at("delay")));
  policy.noteRest();
}

function addResources(service: Fields, resources: Fields, lines: Lines): void {
  const limits = resources.inner("limits");
  const wanted = resources.inner("reservations");
  const memory = limits.text("memory");
  if (memory !== undefined) lines.add("Service", "MemoryMax", memoryText(memory, limits.at("memory")));
  const cpus = limits.number("cpus") ?? service.number("cpus");
  if (cpus !== undefined && cpus > 0) lines.add("Service", "CPUQuota", `${Math.round(cpus * 100)}%`);
  lines.add("Service", "TasksMax", limits.number("pids") ?? positive(service.number("pids_limit")));
  const reserved = wanted.text("memory") ?? service.text("mem_reservation");
  if (reserved !== undefined)
    lines.add("X-Keelson", "MemoryRequest", memoryText(reserved, wanted.at("memory")));
  lines.add("X-Keelson", "CPURequest", wanted.number("cpus"));
  limits.noteRest();
  wanted.noteRest();
  resources.noteRest();
}

const positive = (number: number | undefined): number | undefined =>
  number !== undefined && number > 0 ? number : undefined;

function addPlacement(
  deploy: Fields,
  lines: Lines,
  { name, isTemplate }: ServiceContext & { isTemplate: boolean },
): void {
  const mode = deploy.text("mode") ?? "replicated";
  if (mode === "global") lines.add("X-Fleet", "Global", "true");
  else if (mode !== "replicated") deploy.note("mode", `${mode} has no equivalent and was left out`);
  const placement = deploy.inner("placement");
  for (const text of placement.texts("constraints")) {
    const match = /^node\.(labels\.([^\s=!]+)|hostname|id)\s*==\s*(\S+)$/.exec(text);
    if (match?.[2] !== undefined) lines.add("X-Fleet", "MachineMetadata", `${match[2]}=${match[3] ?? ""}`);
    else if (match !== null) lines.add("X-Fleet", "MachineID", match[3]);
    else placement.note("constraints", `${text} has no equivalent and was left out`);
  }
  for (const [index, entry] of placement.list("preferences").entries()) {
    const preference = new Fields(entry, `${placement.at("preferences")}[${index}]`, placement.notes);
    const label = /^node\.labels\.(\S+)$/.exec(preference.text("spread") ?? "")?.[1];
    if (label === undefined || !isTemplate) preference.note("", "has no equivalent and was left out");
    else lines.add("X-Keelson", "SpreadOver", label);
    preference.noteRest();
  }
  const most = placement.number("max_replicas_per_node");
  if (most === 1 && isTemplate) lines.add("X-Fleet", "Conflicts", `${name}@*.container`);
  else if (most !== undefined && most > 1)
    placement.note("max_replicas_per_node", "only 1 has an equivalent; it was left out");
  placement.noteRest();
}

function addUpdates(update: Fields, lines: Lines, isTemplate: boolean): void {
  const atOnce = update.number("parallelism");
  if (update.text("order") === "start-first" && isTemplate) lines.add("X-Keelson", "MaxSurge", atOnce ?? 1);
  else if (atOnce !== undefined) lines.add("X-Keelson", "MaxUnavailable", atOnce === 0 ? "100%" : atOnce);
  const action = update.text("failure_action");
  if (action === "rollback" || action === "pause") lines.add("X-Keelson", "UpdateOnFailure", action);
  else if (action !== undefined)
    update.note("failure_action", `${action} has no equivalent and was left out`);
  const monitor = update.text("monitor");
  if (monitor !== undefined)
    lines.add("X-Keelson", "UpdateHealthyFor", `${seconds(monitor, update.at("monitor"))}s`);
  update.noteRest();
}

import { KeelError, exitCode } from "../../base/errors.ts";
import { LocalCluster } from "../../local/cluster.ts";
import type { MachineProvider, MachineStatus } from "../../local/machine-provider.ts";
import type { Intent } from "../../model/operation.ts";
import { change, confirmationOf, whoAsks } from "../change.ts";
import type { ChangeOptions } from "../change.ts";
import { formatDuration } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { timeoutOf } from "../invocation.ts";
import { bootMachine } from "../local-cluster/bring-up.ts";
import { watchFailover } from "../local-cluster/failover.ts";
import { createMachine, machineLeft, machinesJoined, nextMachineName } from "../local-cluster/machines.ts";
import { emptied, registerService } from "./machine-service.ts";
import { withGuards, withStranded, withWait, waits } from "../options.ts";
import type { WaitOptions } from "../options.ts";
import { count } from "../plan-text.ts";
import { movesOffered } from "../rebalance-offer.ts";
import { byPrefix } from "../prefix.ts";
import { isErrorCode } from "../report-error.ts";
import { paintColumn, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

/** Something that is done to local machines one by one. */
interface Verb {
  readonly name: string;
  readonly description: string;
  readonly act: (
    provider: MachineProvider,
    machine: string,
    peers: readonly string[] | undefined,
  ) => Promise<void>;
  /** What to say afterwards: what happened and how to take it back. */
  readonly said: (machine: string, after: Aftermath) => string;
  /** The machine is to be in the cluster again afterwards. */
  readonly returns: boolean;
}

interface Aftermath {
  /** A command line to show. */
  readonly command: (words: string) => string;
  /** ` from m2, host` for a cut that is not from everything. */
  readonly from: string;
  /** Somebody waited until the machine was in the cluster. */
  readonly joined: boolean;
}

const verbs: readonly Verb[] = [
  {
    name: "start",
    description: "Start machines that are off.",
    act: async (provider, machine) => {
      await provider.start(machine);
      await provider.ready(machine);
    },
    said: (machine, { joined }) => `${machine} is on${joined ? " and in the cluster" : ""}`,
    returns: true,
  },
  {
    name: "stop",
    description: "Shut machines down in order. Their units move at once.",
    act: (provider, machine) => provider.stop(machine),
    said: (machine, { command }) => `${machine} is off; undo: ${command(`machine start ${machine}`)}`,
    returns: false,
  },
  {
    name: "pause",
    description: "Stop machines’ time, as a frozen virtual machine.",
    act: (provider, machine) => provider.pause(machine),
    said: (machine, { command }) => `${machine} is paused; undo: ${command(`machine resume ${machine}`)}`,
    returns: false,
  },
  {
    name: "resume",
    description: "Let the time of paused machines go on.",
    act: (provider, machine) => provider.resume(machine),
    said: (machine) => `${machine} goes on`,
    returns: true,
  },
  {
    name: "cut",
    description: "Cut machines off the network, silently.",
    act: (provider, machine, peers) => provider.cut(machine, peers),
    said: (machine, { command, from }) =>
      `${machine} is cut off${from}; undo: ${command(`machine heal ${machine}`)}`,
    returns: false,
  },
  {
    name: "heal",
    description: "Put machines back on the network.",
    act: (provider, machine, peers) => provider.heal(machine, peers),
    said: (machine, { from }) =>
      from === "" ? `${machine} is on the network again` : `${machine} is no longer cut off${from}`,
    returns: true,
  },
];

export const register: Register = (program, act) => {
  const group = program.command("machine").description("Local machines: make them, break them, remove them.");
  registerList(group.command("list").alias("ls"), act);
  registerAdd(group.command("add"), act);
  registerKill(group.command("kill"), act);
  for (const verb of verbs) registerVerb(group.command(verb.name), verb, act);
  registerRemove(group.command("rm"), act);
  registerService(group, act, async (keel, name) => {
    const provider = await openMachines(keel);
    await existing(provider, [name]);
    return provider;
  });
};

function registerList(command: Parameters<Register>[0], act: Parameters<Register>[1]): void {
  const columns: readonly Column<MachineStatus>[] = [
    { name: "machine", cell: (machine) => machine.name },
    { name: "state", cell: (machine) => machine.state },
    { name: "address", cell: (machine) => machine.address },
    {
      name: "cut",
      cell: (machine) => (machine.cutFrom === "everything" ? "from everything" : machine.cutFrom.join(",")),
    },
    { name: "link", cell: (machine) => machine.link },
    { name: "console", cell: (machine) => machine.console },
  ];
  act(command.description("List the local machines as the host sees them."), async (keel) => {
    const machines = await (await openMachines(keel)).list();
    keel.output.list({
      name: "machines",
      type: "machine",
      items: machines.map((machine) => ({ ...machine })),
      text: () => renderTable(paintColumn(columns, "state", keel.paint), machines),
    });
  });
}

function registerAdd(command: Parameters<Register>[0], act: Parameters<Register>[1]): void {
  command
    .argument("[names...]", "names; the next free m1, m2, … if absent")
    .description("Add machines to a local cluster.");
  act<WaitOptions>(withWait(command), async (keel, words, options) => {
    const cluster = new LocalCluster(keel.cluster);
    const provider = await cluster.machines();
    const timeoutMs = timeoutOf(options, provider.slowness);
    const added = await cluster.exclusively(async () => {
      const taken = (await provider.list()).map(({ name }) => name);
      const names = words.length === 0 ? [nextMachineName(taken)] : words;
      const client = await keel.daemon();
      const count = taken.length + names.length;
      for (const name of names) await createMachine(cluster, provider, { name, client, count });
      await Promise.all(names.map((name) => bootMachine(keel, provider, name)));
      return names;
    });
    if (waits(options)) await joined(keel, added, timeoutMs);
    keel.output.document({ added }, () =>
      added
        .map(
          (name) =>
            `${name} ${waits(options) ? "is in the cluster" : "is on"}; undo: ${keel.command(`machine rm ${name}`)}\n`,
        )
        .join(""),
    );
  });
}

function registerKill(command: Parameters<Register>[0], act: Parameters<Register>[1]): void {
  command
    .argument("<machines...>", "machines")
    .option("--watch", "stay until the machines’ units run elsewhere, and tell the times")
    .option("--timeout <span>", "with --watch: how long (60s)")
    .description(
      "Pull the plug: power off, hard. What ran there starts elsewhere when the machine’s lease ends.",
    );
  act<{ readonly watch?: boolean; readonly timeout?: string }>(command, async (keel, words, options) => {
    const provider = await openMachines(keel);
    const names = await existing(provider, words);
    const watch =
      options.watch === true
        ? await watchFailover(keel, names, timeoutOf(options, provider.slowness))
        : undefined;
    await Promise.all(names.map((name) => provider.crash(name)));
    const events = await watch?.outcome();
    keel.output.document({ killed: names, events: events ?? null }, () => {
      const times = (events ?? [])
        .map((event) => `${formatDuration(event.ms).padStart(7)}  ${event.what}\n`)
        .join("");
      return `${times}${names.map((name) => `${name} is off, hard; undo: ${keel.command(`machine start ${name}`)}\n`).join("")}`;
    });
  });
}

function registerVerb(command: Parameters<Register>[0], verb: Verb, act: Parameters<Register>[1]): void {
  command.argument("<machines...>", "machines").description(verb.description);
  if (verb.name === "cut" || verb.name === "heal")
    command.option("--from <machines>", "only from these machines, or `host`");
  act<WaitOptions & { readonly from?: string }>(
    verb.returns ? withWait(command) : command,
    async (keel, words, options) => {
      const provider = await openMachines(keel);
      const timeoutMs = timeoutOf(options, provider.slowness);
      const names = await existing(provider, words);
      const peers = await peersOf(provider, options.from);
      await Promise.all(
        names.map((name) => keel.progress.run(`${verb.name} ${name}`, () => verb.act(provider, name, peers))),
      );
      const isJoined = verb.returns && peers === undefined && waits(options);
      if (isJoined) await joined(keel, names, timeoutMs);
      const from = peers === undefined ? "" : ` from ${peers.join(", ")}`;
      const after = { command: keel.command, from, joined: isJoined };
      const offered = isJoined ? await movesOffered(keel) : 0;
      keel.output.document({ machines: names, verb: verb.name, from: peers ?? null, offered }, () =>
        [...names.map((name) => `${verb.said(name, after)}\n`), offerText(keel, offered)].join(""),
      );
    },
  );
}

/** `2 instances would be better off on machines with fewer: keel rebalance`. */
function offerText({ command }: Invocation, moves: number): string {
  if (moves === 0) return "";
  return `${count(moves, "instance")} would be better off on machines with fewer: ${command("rebalance")}\n`;
}

function registerRemove(command: Parameters<Register>[0], act: Parameters<Register>[1]): void {
  command
    .argument("<machine>", "a machine")
    .description(
      "Remove a machine: a local one is destroyed with all it holds; the cluster no longer waits for it.",
    );
  command.option("--no-drain", "do not move its units elsewhere first");
  act<RemoveOptions>(withGuards(withStranded(withWait(command))), async (keel, [word = ""], options) => {
    const intent = { kind: "remove-machine", machine: word } as const;
    const drains = options.drain !== false && (await runsUnits(keel, word));
    if (drains && options.dryRun === true)
      return change(keel, { kind: "drain", machine: word, reason: "" }, options);
    if (drains) await emptied(keel, word, { ...options, reason: "it is being removed" });
    const cluster = new LocalCluster(keel.cluster);
    const provider = (await cluster.record()) === undefined ? undefined : await cluster.machines();
    const isLocal = provider !== undefined && (await provider.list()).some(({ name }) => name === word);
    if (!isLocal || options.dryRun === true) return change(keel, intent, options);
    const isMember = await mayBeRemoved(keel, intent, options);
    await keel.progress.run(`shut ${word} down`, () => shutDown(keel, provider, word));
    const code = isMember ? await change(keel, intent, options) : exitCode.done;
    await keel.progress.run(`remove ${word}`, () => provider.destroy(word));
    return code;
  });
}

interface RemoveOptions extends ChangeOptions {
  readonly drain?: boolean;
}

/** Whether the machine is there, and has units of the cluster. */
async function runsUnits(keel: Invocation, word: string): Promise<boolean> {
  const { machines } = await (await keel.daemon()).snapshot();
  const machine = machines.find(({ name, id }) => name === word || id === word);
  return machine !== undefined && machine.state === "up" && machine.instances > 0;
}

/** Whether the cluster knows the machine. Throws what a guard has against the change, before anything is done. */
async function mayBeRemoved(keel: Invocation, intent: Intent, options: ChangeOptions): Promise<boolean> {
  const client = await keel.daemon();
  try {
    const ask = { intent, confirm: confirmationOf(options), who: whoAsks(keel), via: "cli" };
    const { refusal } = await client.plan(ask);
    if (!refusal) return true;
    const code = isErrorCode(refusal.code) ? refusal.code : "KEEL-900";
    throw new KeelError(code, refusal.message, refusal.hint === undefined ? {} : { hint: refusal.hint });
  } catch (error) {
    if (error instanceof KeelError && error.code === "KEEL-502") return false;
    throw error;
  }
}

/** Shuts the machine down and waits until the cluster no longer counts on it. */
async function shutDown(keel: Invocation, provider: MachineProvider, name: string): Promise<void> {
  const { slowness } = provider;
  await provider.stop(name, { timeoutMs: 10_000 * slowness });
  await machineLeft(name, await keel.daemon(), { timeoutMs: 30_000 * slowness, signal: keel.signal });
}

/** The machines of the local cluster. Throws KEEL-301 without root, KEEL-601 when there is no such cluster. */
async function openMachines(keel: Invocation): Promise<MachineProvider> {
  if (process.getuid?.() !== 0)
    throw new KeelError("KEEL-301", "only root can see and change local machines", {
      hint: `sudo ${keel.command("machine list")}`,
    });
  return new LocalCluster(keel.cluster).machines();
}

/** What `--from` names: machines, `host`. Throws KEEL-502, or KEEL-104 when it names nothing. */
async function peersOf(
  provider: MachineProvider,
  from: string | undefined,
): Promise<readonly string[] | undefined> {
  if (from === undefined) return undefined;
  const words = from.split(",").filter((word) => word !== "");
  if (words.length === 0)
    throw new KeelError("KEEL-104", "--from names no machine", { hint: "--from m2, or --from host" });
  const machines = await existing(
    provider,
    words.filter((word) => word !== "host"),
  );
  return words.includes("host") ? [...machines, "host"] : machines;
}

/** The machines that words name, by their names or unique beginnings. Throws KEEL-502. */
async function existing(provider: MachineProvider, words: readonly string[]): Promise<readonly string[]> {
  const candidates = (await provider.list()).map(({ name, machineId, address }) => ({
    names: [name, machineId, address],
    value: name,
  }));
  return [...new Set(words.map((word) => byPrefix(word, candidates, { code: "KEEL-502", what: "machine" })))];
}

async function joined(keel: Invocation, names: readonly string[], timeoutMs: number): Promise<void> {
  const client = await keel.daemon();
  try {
    await keel.progress.run(`${names.join(", ")} in the cluster`, (step) =>
      machinesJoined(names, client, { timeoutMs, signal: keel.signal, step }),
    );
  } catch (error) {
    if (!(error instanceof KeelError) || error.code !== "KEEL-303") throw error;
    throw new KeelError("KEEL-602", error.message, error.hint === undefined ? {} : { hint: error.hint });
  }
}

import type { SettingsView } from "../../api/wire/settings.ts";
import { KeelError } from "../../base/errors.ts";
import type { Intent } from "../../model/operation.ts";
import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import type { Register } from "../invocation.ts";
import { withGuards, withWait } from "../options.ts";
import { alignColumns } from "../table.ts";

type Configure = Extract<Intent, { kind: "configure" }>;

interface Setting {
  readonly meaning: string;
  readonly show: (settings: SettingsView) => string;
  /** @throws KeelError KEEL-104 */
  readonly read: (value: string) => Omit<Configure, "kind">;
}

const settings: Readonly<Record<string, Setting>> = {
  "auto-rebalance": {
    meaning: "moves units to machines that were added or came back, without being asked: on or off",
    show: ({ autoRebalance }) => (autoRebalance ? "on" : "off"),
    read: (value) => ({ autoRebalance: isOn(value) }),
  },
  "overcommit-memory": {
    meaning: "how many times a machine’s memory requests may take: 1 to 100",
    show: ({ overcommit }) => String(overcommit.memory),
    read: (value) => ({ overcommit: { memory: times(value) } }),
  },
  "overcommit-cpu": {
    meaning: "how many times a machine’s processors requests may take: 1 to 100",
    show: ({ overcommit }) => String(overcommit.cpu),
    read: (value) => ({ overcommit: { cpu: times(value) } }),
  },
};

export const register: Register = (program, act) => {
  const command = program
    .command("settings")
    .argument("[settings...]", "NAME=VALUE to change one; all are shown if left out")
    .description(`Show or change settings of the whole cluster: ${Object.keys(settings).join(", ")}.`);
  act<ChangeOptions>(withGuards(withWait(command)), async (keel, words, options) => {
    if (words.length > 0) return change(keel, readSettings(words), options);
    const now = await (await keel.daemon()).settings();
    keel.output.document({ ...now }, () =>
      alignColumns(Object.entries(settings).map(([name, { show, meaning }]) => [name, show(now), meaning])),
    );
    return undefined;
  });
};

function readSettings(words: readonly string[]): Configure {
  let intent: Configure = { kind: "configure" };
  for (const word of words) {
    const [name = "", value] = word.split("=", 2);
    const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
    const hint = `keel settings ${Object.keys(settings)[1]}=1.5`;
    if (setting === undefined)
      throw new KeelError("KEEL-104", `${name}: no such setting`, {
        hint: `Settings: ${Object.keys(settings).join(", ")}`,
      });
    if (value === undefined) throw new KeelError("KEEL-104", `${name}: without a value`, { hint });
    const read = setting.read(value);
    const overcommit = { ...intent.overcommit, ...read.overcommit };
    intent = { ...intent, ...read, ...(Object.keys(overcommit).length === 0 ? {} : { overcommit }) };
  }
  return intent;
}

function isOn(value: string): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new KeelError("KEEL-104", `auto-rebalance=${value}: neither on nor off`);
}

function times(value: string): number {
  const number = /^\d{1,3}(\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN;
  if (number >= 1 && number <= 100) return number;
  throw new KeelError("KEEL-104", `overcommit ${value}: no number from 1 to 100`);
}

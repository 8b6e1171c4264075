// Words as people type them, turned into words as the parser takes them: options that every command has may also
// stand before its name, and fleetctl's ways to write a switch are understood.
import { connectionSwitches, connectionValues, isTrue } from "./connection.ts";

const valued = new Set(["--cluster", "-o", "--output", ...connectionValues]);

/** Commands whose operands are another command line: what stands behind the first of them is not ours. */
const wrapping = new Set(["ssh", "exec", "run"]);

/** Switches that fleetctl took as `--name=true` too. */
const switches = new Set([
  "--debug",
  "--version",
  "--help",
  "--full",
  "--no-legend",
  "--no-block",
  "--replace",
  "--follow",
  "--sudo",
  "--forward-agent",
  "--sign",
  "--strict-host-key-checking",
]);

const shorthands: Readonly<Record<string, string>> = {
  "--A": "--forward-agent",
  "--f": "--follow",
  "--h": "--help",
};

/** `keel --cluster x CMD …` means `keel CMD --cluster x …`. */
export function moveLeadingOptions(argv: readonly string[]): readonly string[] {
  const leading: string[] = [];
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const [flag = ""] = word.split("=", 1);
    if (valued.has(word) && i + 1 < argv.length) leading.push(word, argv[++i] ?? "");
    else if (/^-o[a-z]/.test(word) || (word.includes("=") && valued.has(flag))) leading.push(word);
    else if (connectionSwitches.has(flag)) leading.push(word);
    else break;
  }
  const [name, ...rest] = argv.slice(i);
  return name === undefined ? [] : [name, ...leading, ...rest];
}

/** `--full=true` means `--full`, `--follow=false` nothing, `--A` is `-A`. */
export function plainSwitches(name: string, words: readonly string[]): readonly string[] {
  const end = endOfOptions(name, words);
  return [...words.slice(0, end).flatMap(plainSwitch), ...words.slice(end)];
}

function plainSwitch(word: string): readonly string[] {
  const [head = "", ...rest] = word.split("=");
  const flag = Object.hasOwn(shorthands, head) ? (shorthands[head] ?? head) : head;
  if (rest.length === 0) return [flag];
  const value = rest.join("=");
  if (!switches.has(flag) || !/^(0|1|t|f|true|false)$/i.test(value)) return [word];
  if (isTrue(value)) return [flag];
  return flag === "--strict-host-key-checking" ? ["--no-strict-host-key-checking"] : [];
}

/** Where our own options end: at `--`, and for a command line of others at its first word. */
function endOfOptions(name: string, words: readonly string[]): number {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") return i;
    if (!wrapping.has(name)) continue;
    if (valued.has(word)) i++;
    else if (!word.startsWith("-")) return i;
  }
  return words.length;
}

// Variables in a Compose file: $NAME, ${NAME}, and what the specification has for unset and empty ones.
// Source: compose-spec, "Interpolation".
import { KeelError } from "../../base/errors.ts";

export type Variables = ReadonlyMap<string, string>;

const reference =
  /\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])((?:[^{}$]|\$\{[^{}]*\}|\$(?!\{))*))?\}|)/g;

/**
 * The text with its variables replaced; one that is not set is empty and reported.
 * @throws KeelError KEEL-108 for one that must be set, and for what is no reference
 */
export function interpolate(
  text: string,
  variables: Variables,
  onUnset: (name: string) => void = () => undefined,
): string {
  return text.replace(reference, (whole, dollar, plain, braced, operator = "", word = "") => {
    if (dollar !== undefined) return "$";
    const name = plain ?? braced;
    if (name === undefined)
      throw new KeelError("KEEL-108", `${JSON.stringify(text.slice(0, 100))}: ${whole} is no variable`, {
        hint: "Write $$ for a dollar sign.",
      });
    const value = variables.get(name);
    const counts = value !== undefined && !(operator.startsWith(":") && value === "");
    const other = (): string => interpolate(word, variables, onUnset);
    if (operator.endsWith("+")) return counts ? other() : "";
    if (counts) return value;
    if (operator.endsWith("-")) return other();
    if (operator.endsWith("?"))
      throw new KeelError("KEEL-108", `the variable ${name} must be set: ${other() || "it is not"}`, {
        hint: `${name}=… keel import …, or --env-file FILE`,
      });
    if (value === undefined) onUnset(name);
    return value ?? "";
  });
}

/** The assignments of an env file: NAME=value lines, # comments, quotes around values. */
export function parseEnvFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] === undefined) continue;
    variables.set(match[1], envValue(match[2] ?? ""));
  }
  return variables;
}

function envValue(text: string): string {
  const single = /^'([^']*)'/.exec(text);
  if (single?.[1] !== undefined) return single[1];
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(text);
  if (double?.[1] !== undefined)
    return double[1].replace(/\\([nrt"\\$])/g, (_, c: string) => ({ n: "\n", r: "\r", t: "\t" })[c] ?? c);
  return text.replace(/\s+#.*$/, "");
}

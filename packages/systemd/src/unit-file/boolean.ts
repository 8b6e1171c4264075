import { SystemdError } from "../error.ts";

const TRUE = new Set(["1", "yes", "y", "true", "t", "on"]);
const FALSE = new Set(["0", "no", "n", "false", "f", "off"]);

/** systemd's booleans: 1/yes/y/true/t/on and 0/no/n/false/f/off in any case. @throws SystemdError `invalid-value` */
export function parseBoolean(text: string): boolean {
  const lower = text.toLowerCase();
  if (TRUE.has(lower)) return true;
  if (FALSE.has(lower)) return false;
  throw new SystemdError("invalid-value", `${JSON.stringify(text)} is no boolean; write yes or no`, {
    offset: 0,
  });
}

import { KeelError } from "../../../base/errors.ts";

/** The number of an option, undefined if it was not given. Throws KEEL-104. */
export function wholeNumber(
  text: string | undefined,
  option: string,
  { least }: { readonly least: number },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= least) return value;
  throw new KeelError("KEEL-104", `${option}: "${text}" is no whole number from ${least} on`);
}

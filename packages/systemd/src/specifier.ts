/**
 * Specifiers of systemd.unit(5) in values and names. Those that follow from the unit's name are worked out here;
 * those that belong to a machine (`%H`, `%m`, `%b`, ...) are taken from the context, and are an error if the
 * context does not have them.
 */
import { SystemdError } from "./error.ts";
import { unescapePath, unescapeUnitName } from "./name/escape.ts";
import { parseUnitName } from "./name/unit-name.ts";

/** What specifiers stand for. Directory specifiers have the system manager's values unless given. */
export interface SpecifierContext {
  /** Full name of the unit, for %n %N %p %P %i %I %j %J %f. */
  readonly unit: string;
  /** Path of the unit's file, for %y and %Y. */
  readonly fragmentPath?: string | undefined;
  /** %H; %l is the part before the first dot. */
  readonly hostName?: string | undefined;
  /** %q */
  readonly prettyHostName?: string | undefined;
  /** %m, 32 hexadecimal digits. */
  readonly machineId?: string | undefined;
  /** %b, 32 hexadecimal digits. */
  readonly bootId?: string | undefined;
  /** %v */
  readonly kernelRelease?: string | undefined;
  /** %a, systemd's own word for it: `x86-64`, `arm64`. */
  readonly architecture?: string | undefined;
  /** Values of /etc/os-release: %o ID, %w VERSION_ID, %B BUILD_ID, %W VARIANT_ID, %M IMAGE_ID, %A IMAGE_VERSION. */
  readonly osRelease?: Readonly<Record<string, string>> | undefined;
  /** Values for any letter, which go before all others: for the service manager of a user, say. */
  readonly values?: Readonly<Record<string, string>> | undefined;
}

type Resolve = (context: SpecifierContext) => string | undefined;

const constant =
  (value: string): Resolve =>
  () =>
    value;
const osRelease =
  (field: string): Resolve =>
  (context) =>
    context.osRelease?.[field] ?? (context.osRelease && "");

const SPECIFIERS: Readonly<Record<string, Resolve>> = {
  "%": constant("%"),
  n: ({ unit }) => unit,
  N: ({ unit }) => unit.slice(0, -parseUnitName(unit).type.length - 1),
  p: ({ unit }) => parseUnitName(unit).prefix,
  P: ({ unit }) => unescapeUnitName(parseUnitName(unit).prefix),
  i: ({ unit }) => parseUnitName(unit).instance ?? "",
  I: ({ unit }) => unescapeUnitName(parseUnitName(unit).instance ?? ""),
  j: ({ unit }) => lastComponent(parseUnitName(unit).prefix),
  J: ({ unit }) => unescapeUnitName(lastComponent(parseUnitName(unit).prefix)),
  f: ({ unit }) => unescapePath(parseUnitName(unit).instance ?? parseUnitName(unit).prefix),
  y: ({ fragmentPath }) => fragmentPath,
  Y: ({ fragmentPath }) => fragmentPath?.replace(/\/[^/]*$/, ""),
  H: ({ hostName }) => hostName,
  l: ({ hostName }) => hostName?.replace(/\..*$/s, ""),
  q: ({ prettyHostName }) => prettyHostName,
  m: ({ machineId }) => machineId,
  b: ({ bootId }) => bootId,
  v: ({ kernelRelease }) => kernelRelease,
  a: ({ architecture }) => architecture,
  o: osRelease("ID"),
  w: osRelease("VERSION_ID"),
  B: osRelease("BUILD_ID"),
  W: osRelease("VARIANT_ID"),
  M: osRelease("IMAGE_ID"),
  A: osRelease("IMAGE_VERSION"),
  t: constant("/run"),
  S: constant("/var/lib"),
  C: constant("/var/cache"),
  L: constant("/var/log"),
  E: constant("/etc"),
  D: constant("/usr/share"),
  T: constant("/tmp"),
  V: constant("/var/tmp"),
  d: ({ unit }) => `/run/credentials/${unit}`,
  h: constant("/root"),
  u: constant("root"),
  U: constant("0"),
  g: constant("root"),
  G: constant("0"),
  s: () => undefined,
  c: () => undefined,
  r: () => undefined,
  R: () => undefined,
};

const lastComponent = (prefix: string): string => prefix.slice(prefix.lastIndexOf("-") + 1);

/**
 * Replaces every specifier of the text.
 * @throws SystemdError `unknown-specifier` with the offset of its percent sign; `invalid-name` when the unit's
 * name cannot be unescaped.
 */
export function expandSpecifiers(text: string, context: SpecifierContext): string {
  return text.replace(/%(.?)/gsu, (specifier: string, letter: string, offset: number) => {
    const resolve = Object.hasOwn(SPECIFIERS, letter) ? SPECIFIERS[letter] : undefined;
    const value = ownValue(context, letter) ?? resolve?.(context);
    if (value !== undefined) return value;
    const shown = JSON.stringify(specifier);
    const reason =
      resolve === undefined
        ? `${shown} is no specifier; write %% for a percent sign`
        : `the value of the specifier ${shown} is not known here`;
    throw new SystemdError("unknown-specifier", reason, { offset });
  });
}

function ownValue({ values }: SpecifierContext, letter: string): string | undefined {
  return values !== undefined && Object.hasOwn(values, letter) ? values[letter] : undefined;
}

/**
 * Names of units, by systemd.unit(5): `prefix[@[instance]].type`, at most 255 characters. Quadlet files follow
 * the same rules with their own types.
 */
import { SystemdError } from "../error.ts";

export const MAX_UNIT_NAME_LENGTH = 255;

/** What systemd itself loads. */
export const systemdUnitTypes = [
  "service",
  "socket",
  "timer",
  "path",
  "mount",
  "automount",
  "target",
  "slice",
  "scope",
  "swap",
  "device",
] as const;

/** What podman's generator turns into services. */
export const quadletUnitTypes = ["container", "volume", "network", "pod", "kube", "build", "image"] as const;

export type SystemdUnitType = (typeof systemdUnitTypes)[number];
export type QuadletUnitType = (typeof quadletUnitTypes)[number];
export type UnitType = SystemdUnitType | QuadletUnitType;

/** `web.service` is plain, `web@.service` a template, `web@1.service` an instance of it. */
export type UnitNameKind = "plain" | "template" | "instance";

export interface UnitName {
  /** The whole name, suffix included. */
  readonly name: string;
  readonly kind: UnitNameKind;
  /** Before the first `@`, or before the suffix. */
  readonly prefix: string;
  /** Between the first `@` and the suffix, still escaped; only of an instance. */
  readonly instance: string | undefined;
  /** The suffix without its dot. */
  readonly type: UnitType;
}

export const isSystemdUnitType = (type: string): type is SystemdUnitType =>
  (systemdUnitTypes as readonly string[]).includes(type);

export const isQuadletUnitType = (type: string): type is QuadletUnitType =>
  (quadletUnitTypes as readonly string[]).includes(type);

/** @throws SystemdError `invalid-name` with the reason, and the offset of a character that may not be there. */
export function parseUnitName(name: string): UnitName {
  const refuse = (reason: string, offset?: number): never => {
    throw new SystemdError("invalid-name", `${JSON.stringify(name)} is no unit name: ${reason}`, { offset });
  };
  if (name.length > MAX_UNIT_NAME_LENGTH) {
    const shown = JSON.stringify(`${name.slice(0, 40)}...`);
    const reason = `${shown} is no unit name: it has ${name.length} characters, at most ${MAX_UNIT_NAME_LENGTH} are allowed`;
    throw new SystemdError("invalid-name", reason, { offset: MAX_UNIT_NAME_LENGTH });
  }
  const dot = name.lastIndexOf(".");
  if (dot < 0) return refuse("it has no suffix such as .service");
  const type = name.slice(dot + 1);
  if (!isSystemdUnitType(type) && !isQuadletUnitType(type))
    return refuse(`the suffix .${type} is unknown`, dot);
  const stem = name.slice(0, dot);
  if (stem === "") return refuse("there is nothing before the suffix", 0);
  const bad = /[^A-Za-z0-9:_.\\@-]/.exec(stem);
  if (bad) return refuse(`${JSON.stringify(bad[0])} is not allowed`, bad.index);
  const at = stem.indexOf("@");
  if (at === 0) return refuse("there is nothing before the @", 0);
  if (at < 0) return { name, kind: "plain", prefix: stem, instance: undefined, type };
  const instance = stem.slice(at + 1);
  const prefix = stem.slice(0, at);
  if (instance === "") return { name, kind: "template", prefix, instance: undefined, type };
  return { name, kind: "instance", prefix, instance, type };
}

/** Whether {@link parseUnitName} takes the name. */
export function isUnitName(name: string): boolean {
  try {
    parseUnitName(name);
    return true;
  } catch (error) {
    if (error instanceof SystemdError) return false;
    throw error;
  }
}

/** `web@.service` and `1` give `web@1.service`. The instance must already be escaped. @throws `invalid-name` */
export function instantiate(template: string, instance: string): string {
  const { kind, prefix, type } = parseUnitName(template);
  if (kind !== "template") {
    throw new SystemdError(
      "invalid-name",
      `${JSON.stringify(template)} is no template; it needs an @ before the suffix`,
    );
  }
  const bad = /[^A-Za-z0-9:_.\\@-]/.exec(instance);
  if (instance === "" || bad) {
    const reason = `${JSON.stringify(instance)} is no instance name; escape it first`;
    throw new SystemdError("invalid-name", reason, { offset: bad?.index ?? 0 });
  }
  return parseUnitName(`${prefix}@${instance}.${type}`).name;
}

/** The template that an instance is made from: `web@1.service` gives `web@.service`; undefined for other names. */
export function templateOf(name: string): string | undefined {
  const { kind, prefix, type } = parseUnitName(name);
  return kind === "instance" ? `${prefix}@.${type}` : undefined;
}

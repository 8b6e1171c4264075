// What a client says of itself, in the bounds within which it is remembered.
import { parseVersion } from "@keelson/omaha";
import type { Version } from "@keelson/omaha";
import type { MetadataField, MetadataMatch } from "../model/update-service.ts";
import { spreadHash } from "./waves.ts";

export interface UpdateRequest {
  /** Without braces, in lower case. */
  readonly application: string;
  /** The group's name, or another by which it is known. */
  readonly track: string;
  readonly machine: string;
  /** What it runs. */
  readonly version: string;
  /** Debian's name; see {@link architectureOf}. */
  readonly architecture: string;
  /** Whether it proved that it is this machine. */
  readonly verified: boolean;
  /** A person asked it to look now. */
  readonly onDemand?: boolean;
  /** It would take nothing. */
  readonly updateDisabled?: boolean;
  /** The protocol's `targetversionprefix`. */
  readonly versionPrefix?: string | undefined;
  /** Another text in every boot. */
  readonly boot?: string | undefined;
  readonly alias?: string | undefined;
  /** Where it asked from. */
  readonly address?: string | undefined;
  readonly board?: string | undefined;
  readonly oem?: string | undefined;
  readonly oemVersion?: string | undefined;
  readonly alephVersion?: string | undefined;
  readonly hardwareClass?: string | undefined;
}

/** What many machines have in common, in the order in which it is kept as one text. */
export const profileFields = [
  "architecture",
  "board",
  "oem",
  "oemVersion",
  "alephVersion",
  "hardwareClass",
] as const;

const LONGEST = 200;

/** Short, and in one line. */
export function clean(text = ""): string {
  const cut = text.length > LONGEST ? text.slice(0, LONGEST) : text;
  return /\p{Cc}/u.test(cut) ? cut.replaceAll(/\p{Cc}/gu, " ") : cut;
}

export function profileOf(request: UpdateRequest, known = ""): string {
  const {
    architecture,
    board = "",
    oem = "",
    oemVersion = "",
    alephVersion = "",
    hardwareClass = "",
  } = request;
  const raw = `${architecture}\n${board}\n${oem}\n${oemVersion}\n${alephVersion}\n${hardwareClass}`;
  // What is known is clean already.
  if (raw === known) return known;
  return [architecture, board, oem, oemVersion, alephVersion, hardwareClass].map(clean).join("\n");
}

export function namesOf({ alias = "", address = "" }: UpdateRequest, known = ""): string {
  return `${alias}\n${address}` === known ? known : `${clean(alias)}\n${clean(address)}`;
}

/** 0 for a machine that says nothing of its boot. */
export const bootOf = ({ boot = "" }: UpdateRequest): number => (boot === "" ? 0 : spreadHash(boot) || 1);

/** Why a request cannot be taken up; undefined when it can. */
export function unreadable({ machine, version }: UpdateRequest): string | undefined {
  if (!/^[\w.:{}@-]{1,128}$/.test(machine))
    return machine === "" ? "it does not say which machine it is" : "its machine id is none";
  return parseVersion(version) === undefined ? "its version is none" : undefined;
}

/**
 * amd64 or arm64, from `board` (`amd64-usr`) or the `arch` of `<os>`; amd64 when neither says anything.
 * Source: Nebraska takes the same ways.
 */
export function architectureOf({ board = "", arch = "", servicePack = "" }): string {
  const said =
    /^([a-z0-9]+)-usr$/.exec(board)?.[1] ?? (arch === "" ? servicePack.split("_").slice(1).join("_") : arch);
  const known: Readonly<Record<string, string>> = {
    x64: "amd64",
    x86_64: "amd64",
    aarch64: "arm64",
    arm: "arm64",
    x86: "i386",
    "": "amd64",
  };
  return known[said] ?? (/^[a-z0-9][a-z0-9_]{0,31}$/.test(said) ? said : "amd64");
}

/** What policies by metadata look at. */
export interface Metadata {
  readonly machine: string;
  readonly version: string;
  readonly names: string;
  readonly profile: string;
}

export function fieldOf({ machine, version, names, profile }: Metadata, field: MetadataField): string {
  switch (field) {
    case "machine":
      return machine;
    case "version":
      return version;
    case "alias":
      return names.slice(0, names.indexOf("\n"));
    case "address":
      return names.slice(names.indexOf("\n") + 1);
    default:
      return profile.split("\n")[profileFields.indexOf(field)] ?? "";
  }
}

export function matches(about: Metadata, { field, equals, startsWith }: MetadataMatch): boolean {
  const value = fieldOf(about, field);
  return equals === undefined ? startsWith !== undefined && value.startsWith(startsWith) : value === equals;
}

/** Versions are read again and again; few are in use at a time. */
export class KnownVersions {
  readonly #read = new Map<string, Version | undefined>();

  of(text: string): Version | undefined {
    if (this.#read.has(text)) return this.#read.get(text);
    const version = parseVersion(text);
    if (this.#read.size >= 1000) this.#read.clear();
    this.#read.set(text, version);
    return version;
  }
}

import { SystemdError } from "../error.ts";
import { isQuadletUnitType, parseUnitName, type QuadletUnitType } from "../name/unit-name.ts";
import { nearest } from "../nearest.ts";
import type { Position } from "../unit-file/item.ts";
import type { UnitFile } from "../unit-file/unit-file.ts";
import { keysOfSection } from "./keys.ts";
import { publishedPorts } from "./ports.ts";
import { quadletSections } from "./service-name.ts";
import { quadletValue } from "./value.ts";

/** Something in a Quadlet file that podman 5.4 refuses, now or at the start (`error`), or that is hardly meant (`warning`). */
export interface QuadletFinding {
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly position: Position;
  /** The nearest valid name, for a name that is not known. */
  readonly suggestion?: string | undefined;
}

/**
 * What is wrong with a Quadlet file by itself, in the order of the file. Whether the files that it refers to
 * exist is for the caller to see, with `quadletReferences`.
 * @returns nothing for units that are no Quadlets
 */
export function lintQuadlet(name: string, file: UnitFile): QuadletFinding[] {
  const { type } = parseUnitName(name);
  if (!isQuadletUnitType(type)) return [];
  const findings = [
    ...unknownSections(type, file),
    ...unknownKeys(type, file),
    ...missing(type, file),
    ...badPorts(file),
    ...emptyContinuations(file),
  ];
  return findings.sort((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
}

function unknownSections(type: QuadletUnitType, file: UnitFile): QuadletFinding[] {
  const known = ["Unit", "Service", "Install", "Quadlet", quadletSections[type]];
  return file
    .sections()
    .filter((section) => !known.includes(section) && !section.startsWith("X-"))
    .map((section) => {
      const suggestion = nearest(section, known);
      const message = `the section [${section}] means nothing in a .${type} file${didYouMean(suggestion, "[", "]")}`;
      return { severity: "warning", message, position: file.sectionPosition(section) ?? START, suggestion };
    });
}

function unknownKeys(type: QuadletUnitType, file: UnitFile): QuadletFinding[] {
  return file.assignments().flatMap(({ section, key, position }) => {
    const keys = keysOfSection(type, section);
    if (keys === undefined || keys.includes(key)) return [];
    const suggestion = nearest(key, keys);
    const message = `podman knows no ${key}= in [${section}]${didYouMean(suggestion, "", "=")}`;
    return [{ severity: "error", message, position, suggestion }];
  });
}

type ValueOf = (key: string) => string | undefined;

/** What podman's generator asks for beside known keys. */
const NEEDS: Readonly<Record<QuadletUnitType, (value: ValueOf) => string | undefined>> = {
  container: (value) =>
    value("Image") === undefined || value("Rootfs") === undefined
      ? given(value("Image") ?? value("Rootfs"), "needs Image= or Rootfs=")
      : "takes only one of Image= and Rootfs=",
  image: (value) => given(value("Image"), "needs Image="),
  kube: (value) => given(value("Yaml"), "needs Yaml="),
  build: (value) =>
    given(value("ImageTag"), "needs ImageTag=") ??
    given(value("File") ?? value("SetWorkingDirectory"), "needs File= or SetWorkingDirectory="),
  network: (value) => {
    const ranges = value("Gateway") ?? value("IPRange");
    return ranges === undefined
      ? undefined
      : given(value("Subnet"), "needs Subnet= for Gateway= and IPRange=");
  },
  volume: (value) =>
    value("Driver") === "image" ? given(value("Image"), "needs Image= for Driver=image") : undefined,
  pod: () => undefined,
};

const given = (value: string | undefined, otherwise: string): string | undefined =>
  value === undefined ? otherwise : undefined;

function missing(type: QuadletUnitType, file: UnitFile): QuadletFinding[] {
  const section = quadletSections[type];
  const need = NEEDS[type]((key) => quadletValue(file, section, key));
  if (need === undefined) return [];
  const position = file.sectionPosition(section) ?? START;
  return [{ severity: "error", message: `[${section}] ${need}`, position }];
}

/** Values with specifiers are left out: what they become depends on the machine. */
function badPorts(file: UnitFile): QuadletFinding[] {
  const withoutSpecifiers = (value: string): string => (value.includes("%") ? "1" : value);
  try {
    publishedPorts(file, withoutSpecifiers);
    return [];
  } catch (error) {
    if (!(error instanceof SystemdError)) throw error;
    return [{ severity: "error", message: error.reason, position: error.position ?? START }];
  }
}

/** systemd ends a continued value at an empty line, podman goes on to the line after it. */
function emptyContinuations(file: UnitFile): QuadletFinding[] {
  return file
    .assignments()
    .filter(({ text }) => /\\(?:\r\n|\n|\r)[ \t]*(?:\r\n|\n|\r)$/.test(text))
    .map(({ position }) => ({
      severity: "warning",
      message:
        "an empty line follows a backslash: podman joins the line after it to this value, systemd does not",
      position,
    }));
}

const START: Position = { line: 1, column: 1 };

function didYouMean(suggestion: string | undefined, before: string, after: string): string {
  return suggestion === undefined ? "" : `; did you mean ${before}${suggestion}${after}?`;
}

// What is wrong or odd in a configuration, and where. Never holds a value that may be a secret.

/** Where something stands, from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Finding extends Place {
  readonly severity: "error" | "warning";
  /** `users[0].name`; empty for the document as a whole. */
  readonly path: string;
  readonly message: string;
  /** What to do. */
  readonly remedy: string;
}

/** More than these are not told. */
export const maxFindings = 200;

export class Findings {
  readonly #all: Finding[] = [];
  #hasErrors = false;

  add(finding: Finding): void {
    if (finding.severity === "error") this.#hasErrors = true;
    if (this.#all.length < maxFindings) this.#all.push(finding);
  }

  /** Whether there is an error, told or not. */
  get hasErrors(): boolean {
    return this.#hasErrors;
  }

  /** In the order of the text. */
  get all(): readonly Finding[] {
    return this.#all.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }
}

/** `3:7: error: users[0].name: …`, and what to do in a second line. */
export function findingText(finding: Finding): string {
  const { line, column, severity, path, message, remedy } = finding;
  return `${line}:${column}: ${severity}: ${path === "" ? "" : `${path}: `}${message}\n    ${remedy}\n`;
}

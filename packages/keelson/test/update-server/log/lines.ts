// The simplest state: the entries themselves.
import type { Fold } from "../../../src/update-server/log/fold.ts";

export class Lines implements Fold {
  readonly kind: number;
  readonly lines: string[] = [];

  constructor(kind = 1) {
    this.kind = kind;
  }

  restore(part: string): void {
    this.lines.push(...part.split("\n"));
  }

  apply(entry: string): void {
    this.lines.push(entry);
  }

  snapshot(): Iterable<string> {
    const parts: string[] = [];
    for (let at = 0; at < this.lines.length; at += 100) parts.push(this.lines.slice(at, at + 100).join("\n"));
    return parts;
  }
}

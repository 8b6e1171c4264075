// Progress on stderr: lines that live and change on a terminal, plain lines elsewhere, nothing in JSON.
import type { Clock, Timer } from "../base/clock.ts";
import { asStep } from "../local/progress.ts";
import { harmless, harmlessLine, paintFor } from "./colour.ts";
import type { Paint } from "./colour.ts";
import { formatDuration } from "./duration.ts";
import type { Terminal } from "./terminal.ts";

export interface Step {
  /** Replaces what stands behind the step's name. */
  update(detail: string): void;
  done(detail?: string): void;
  fail(detail?: string): void;
}

export interface Progress extends Disposable {
  /** Starts a step and its watch. */
  step(name: string): Step;
  /** A line of its own, above the steps that still run. */
  note(text: string): void;
  /** Runs a task as a step: its returned text stands behind the name. */
  run<T>(name: string, task: (step: Step) => Promise<T>, summary?: (result: T) => string): Promise<T>;
}

interface Line {
  readonly name: string;
  readonly started: number;
  detail: string;
  state: "running" | "done" | "failed";
  ended: number;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const refreshMs = 100;
const plainIntervalMs = 5000;

export function createProgress(terminal: Terminal, clock: Clock, quiet: boolean): Progress {
  if (quiet) return new QuietProgress();
  const live = terminal.errIsTTY && terminal.env.TERM !== "dumb";
  return live ? new LiveProgress(terminal, clock) : new PlainProgress(terminal, clock);
}

abstract class BaseProgress implements Progress {
  abstract step(name: string): Step;
  abstract note(text: string): void;
  abstract [Symbol.dispose](): void;

  async run<T>(name: string, task: (step: Step) => Promise<T>, summary?: (result: T) => string): Promise<T> {
    return await asStep(this, name, task, summary);
  }
}

class QuietProgress extends BaseProgress {
  step(): Step {
    return { update() {}, done() {}, fail() {} };
  }
  note(): void {}
  [Symbol.dispose](): void {}
}

/** One line when a step ends, and one each five seconds while a long one moves. */
class PlainProgress extends BaseProgress {
  readonly #terminal: Terminal;
  readonly #clock: Clock;

  constructor(terminal: Terminal, clock: Clock) {
    super();
    this.#terminal = terminal;
    this.#clock = clock;
  }

  step(name: string): Step {
    const started = this.#clock.now();
    let detail = "";
    let printed = started;
    const line = (mark: string, text: string): void => {
      const spent = formatDuration(this.#clock.now() - started);
      this.#terminal.err(
        `${mark} ${harmlessLine(name)}${text === "" ? "" : `: ${harmlessLine(text)}`} (${spent})\n`,
      );
    };
    return {
      update: (text) => {
        const changed = text !== detail;
        detail = text;
        if (!changed || this.#clock.now() - printed < plainIntervalMs) return;
        printed = this.#clock.now();
        line("…", text);
      },
      done: (text) => line("✓", text ?? detail),
      fail: (text) => line("✗", text ?? detail),
    };
  }

  note(text: string): void {
    this.#terminal.err(`${harmless(text)}\n`);
  }

  [Symbol.dispose](): void {}
}

/** The running steps stay at the bottom and are drawn anew; finished ones scroll up. */
class LiveProgress extends BaseProgress {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #paint: Paint;
  #lines: Line[] = [];
  #drawn = 0;
  #timer: Timer | undefined;
  #ended = false;

  constructor(terminal: Terminal, clock: Clock) {
    super();
    this.#terminal = terminal;
    this.#clock = clock;
    this.#paint = paintFor(terminal.errIsTTY, terminal.env);
  }

  step(name: string): Step {
    const line: Line = { name, started: this.#clock.now(), detail: "", state: "running", ended: 0 };
    this.#lines.push(line);
    this.#draw("");
    const end = (state: "done" | "failed", detail: string | undefined): void => {
      if (line.state !== "running") return;
      line.state = state;
      line.ended = this.#clock.now();
      if (detail !== undefined) line.detail = detail;
      this.#flush();
    };
    return {
      update: (detail) => void (line.detail = detail),
      done: (detail) => end("done", detail),
      fail: (detail) => end("failed", detail),
    };
  }

  note(text: string): void {
    this.#draw(`${harmless(text)}\n`);
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#draw("");
    this.#drawn = 0;
    this.#lines = [];
  }

  /** Moves finished steps from the top of the live lines into the scrollback. */
  #flush(): void {
    let above = "";
    while (this.#lines[0] !== undefined && this.#lines[0].state !== "running") {
      above += `${this.#render(this.#lines.shift() as Line)}\n`;
    }
    this.#draw(above);
  }

  #draw(above: string): void {
    const erase = this.#drawn === 0 ? "" : `\u001B[${this.#drawn}A\u001B[J`;
    const live = this.#lines.map((line) => `${this.#render(line)}\n`).join("");
    if (erase + above + live !== "") this.#terminal.err(erase + above + live);
    this.#drawn = this.#lines.length;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#lines.length > 0 && !this.#ended)
      this.#timer = this.#clock.timer(refreshMs, () => this.#draw(""));
  }

  #render(line: Line): string {
    const now = line.state === "running" ? this.#clock.now() : line.ended;
    const spent = now - line.started;
    const mark =
      line.state === "done"
        ? this.#paint("green", "✓")
        : line.state === "failed"
          ? this.#paint("red", "✗")
          : this.#paint("cyan", frames[Math.floor(spent / refreshMs) % frames.length] ?? "·");
    const time = formatDuration(spent);
    const room = Math.max(10, this.#terminal.columns() - time.length - 6);
    const text = line.detail === "" ? line.name : `${line.name}: ${line.detail}`;
    return `${mark} ${cut(harmlessLine(text), room)}  ${this.#paint("dim", time)}`;
  }
}

function cut(text: string, room: number): string {
  const characters = Array.from(text);
  return characters.length <= room ? text : `${characters.slice(0, room - 1).join("")}…`;
}

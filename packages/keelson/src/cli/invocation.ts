// One run of one command: what was asked for on the command line, and what it may use.
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import { paintFor } from "./colour.ts";
import type { Paint } from "./colour.ts";
import { readConnection } from "./connection.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import type { DaemonClient } from "./daemon/client.ts";
import { parseDuration } from "./duration.ts";
import { createOutput, formats } from "./output.ts";
import type { Format, Output } from "./output.ts";
import { createProgress } from "./progress.ts";
import type { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** Adds a command to the program. */
export type Register = (program: Command, act: Act) => void;

/** Gives a command what it does. `args` are its operands, flat. */
export type Act = <Options>(command: Command, handler: Handler<Options>) => Command;
export type Handler<Options> = (
  keel: Invocation,
  args: readonly string[],
  options: Options,
) => Promise<number | void>;

/** Options that every command understands. */
export interface CommonOptions extends ConnectionOptions {
  readonly cluster?: string;
  readonly output?: string;
}

/** As whom the command speaks: with Keelson's columns and words, or with fleetctl's. */
export type Style = "keel" | "fleetctl";

/** Closed when the command has ended. */
export interface Invocation extends AsyncDisposable {
  readonly style: Style;
  readonly connection: Connection;
  readonly terminal: Terminal;
  readonly output: Output;
  readonly progress: Progress;
  readonly clock: Clock;
  /** Colours for stdout. */
  readonly paint: Paint;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** The cluster's name: --cluster, KEEL_CLUSTER, or `default`. */
  readonly cluster: string;
  /** A command line to be shown, for the same cluster: `keel undo ID --cluster NAME`. */
  readonly command: (words: string) => string;
  /** The daemon, connected to on the first request. Throws KEEL-104 for an endpoint that cannot be read. */
  readonly daemon: () => Promise<DaemonClient>;
}

export interface Surroundings {
  readonly signal: AbortSignal;
  readonly style: Style;
  /** Forms of output that the command alone knows. */
  readonly forms?: readonly string[];
}

const clusterPattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

export function createInvocation(
  terminal: Terminal,
  common: CommonOptions,
  { signal, style, forms }: Surroundings,
): Invocation {
  const cluster = common.cluster ?? nonEmpty(terminal.env.KEEL_CLUSTER) ?? "default";
  if (!clusterPattern.test(cluster)) {
    throw new KeelError("KEEL-104", `"${cluster}" is no name for a cluster`, {
      hint: "a-z, 0-9 and -, at most 40 characters",
    });
  }
  const named = common.cluster !== undefined || (terminal.env.KEEL_CLUSTER ?? "") !== "";
  const output = createOutput(terminal, parseFormat(common.output, forms));
  const isNamed = named || (terminal.env.KEEL_ENDPOINT ?? "") !== "";
  const connection = readConnection(common, { ...terminal, isNamed });
  const closing = new AsyncDisposableStack();
  let client: Promise<DaemonClient> | undefined;
  return {
    style,
    connection,
    terminal,
    output,
    progress: createProgress(terminal, systemClock, output.format !== "text"),
    clock: systemClock,
    paint: paintFor(terminal.outIsTTY, terminal.env),
    signal,
    cluster,
    command: (words) =>
      `${launcher(terminal.cwd)} ${words}${common.cluster === undefined ? "" : ` --cluster ${cluster}`}`,
    daemon() {
      client ??= import("./daemon/connect.ts").then(({ connect }) =>
        connect({ cluster, named, connection, terminal, clock: systemClock, signal, closing }),
      );
      return client;
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** `-o`: text, json or ndjson, or a form of the command's own, which is text. Throws KEEL-104 for anything else. */
export function parseFormat(text: string | undefined, own: readonly string[] = []): Format {
  const format = formats.find((known) => known === (text ?? "text"));
  if (format) return format;
  if (text !== undefined && own.includes(text)) return "text";
  throw new KeelError("KEEL-104", `unknown output format "${text}"`, { hint: `-o ${formats.join("|")}` });
}

/** The longest that a timer takes: 24 days. */
const longestMs = 2 ** 31 - 1;
/** fleetctl looks four times a second. */
const attemptMs = 250;

/** `--timeout`, or else fleetctl's `--block-attempts`, in milliseconds; 60 s unless given. KEEL-104 */
export function timeoutOf(
  options: { readonly timeout?: string; readonly blockAttempts?: string },
  slowness = 1,
): number {
  const { timeout, blockAttempts } = options;
  if (timeout !== undefined) return Math.min(longestMs, parseDuration(timeout, "--timeout"));
  if (blockAttempts === undefined) return 60_000 * slowness;
  if (!/^\d{1,9}$/.test(blockAttempts))
    throw new KeelError("KEEL-104", `--block-attempts ${blockAttempts}: no number`, {
      hint: "--block-attempts 20 waits for 5 s, 0 as long as it takes",
    });
  const attempts = Number(blockAttempts);
  return attempts === 0 ? longestMs : Math.min(longestMs, attempts * attemptMs);
}

/** How `keel` is called from here: in a checkout of Keelson as `./keel`. */
function launcher(cwd: string): string {
  return cwd === join(import.meta.dirname, "../../../..") ? "./keel" : "keel";
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

// Options that several commands share, so that they are called and described the same everywhere.
import { Option } from "commander";
import type { Command } from "commander";
import { withConnection } from "./connection.ts";

/** `--cluster`, `-o` and fleetctl's ways to the daemon: every command has them. */
export function withCommon(command: Command): Command {
  withConnection(command).addOption(
    new Option("--cluster <name>", 'the local cluster (KEEL_CLUSTER, "default")'),
  );
  const hasForms = command.options.some(({ long }) => long === "--output");
  return hasForms ? command : command.addOption(new Option("-o, --output <format>", "text, json or ndjson"));
}

export interface ListOptions {
  readonly fields?: string;
  readonly full?: boolean;
  readonly legend?: boolean;
}

/** What lists take, as fleetctl calls it. */
export function withList(command: Command, fields: readonly string[]): Command {
  return command
    .addOption(new Option("--fields <names>", `columns to show, of ${fields.join(",")}`))
    .addOption(new Option("-l, --full", "show identities and hashes in full"))
    .addOption(new Option("--no-legend", "leave the line of column names out"));
}

export interface WaitOptions {
  readonly wait?: boolean;
  readonly block?: boolean;
  readonly timeout?: string;
  readonly blockAttempts?: string;
}

/** Whether and how long to wait for the outcome. */
export function withWait(command: Command): Command {
  return command
    .addOption(new Option("--timeout <span>", "how long to wait for the outcome (60s)"))
    .addOption(new Option("--no-wait", "do not wait for the outcome"))
    .addOption(
      new Option(
        "--block-attempts <number>",
        "wait for so many quarters of a second, 0 for as long as it takes",
      ),
    )
    .addOption(new Option("--no-block", "the same as --no-wait").hideHelp());
}

export interface GuardOptions {
  readonly dryRun?: boolean;
  readonly detailedExitcode?: boolean;
  readonly maxImpact?: string;
  readonly confirm?: string;
  readonly allowStranded?: boolean;
  readonly yes?: boolean;
}

/** What every change takes: see the plan first, and confirm what a guard refuses. */
export function withGuards(command: Command): Command {
  return command
    .addOption(new Option("--dry-run", "print the plan and change nothing"))
    .addOption(new Option("--detailed-exitcode", "with --dry-run: exit 3 when there is something to change"))
    .addOption(
      new Option("--max-impact <percent>", "allow a change that stops or removes this share of the units"),
    )
    .addOption(new Option("--confirm <name>", "allow what needs the cluster’s name"))
    .addOption(new Option("-y, --yes", "ask nothing"));
}

/** What changes take that move units away from machines. */
export function withStranded(command: Command): Command {
  return command.addOption(
    new Option("--allow-stranded", "allow it although some units fit on no other machine: they stay"),
  );
}

/** True unless --no-wait or --no-block was given. */
export function waits(options: WaitOptions): boolean {
  return options.wait !== false && options.block !== false;
}

/** `--fields a,b` as a list. */
export function fieldList(options: ListOptions): readonly string[] | undefined {
  return options.fields?.split(",").filter((name) => name.trim() !== "");
}

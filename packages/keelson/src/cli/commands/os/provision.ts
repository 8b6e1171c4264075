import { Option } from "commander";
import { exitCode, KeelError } from "../../../base/errors.ts";
import { createLog } from "../../../base/log.ts";
import { provisionHere, readProvisionState } from "../../../provision/run-here.ts";
import type { Outcome } from "../../../provision/provision.ts";
import type { ProvisionState } from "../../../provision/apply/state.ts";
import { findingText } from "../../../provision/reading/findings.ts";
import type { Register } from "../../invocation.ts";

export const registerProvision: Register = (group, act) => {
  const provision = group.command("provision").description("First-boot configuration of this machine.");
  const run = provision
    .command("run")
    .addOption(
      new Option("--stage <stage>", "what may be asked")
        .choices(["local", "network"])
        .default("network", "everything, also what is reached over the network"),
    )
    .description(
      "Find this machine’s configuration and apply what differs from what was applied. The machine does so itself at every boot.",
    );
  act<{ readonly stage: "local" | "network" }>(
    run,
    async ({ output, terminal, signal }, _args, { stage }) => {
      const log = createLog((line) => terminal.err(line), "info");
      const outcome = await provisionHere({ stage, log, signal, environment: terminal.env });
      output.document({ ...outcome }, () => outcomeText(outcome));
      return outcome.failures.length === 0 ? exitCode.done : exitCode.partly;
    },
  );
  const status = provision
    .command("status")
    .description("Where this machine’s configuration came from, what was applied, and what went wrong.");
  act(status, async ({ output }) => {
    const state = await readProvisionState();
    if (state === "damaged")
      throw new KeelError("KEEL-843", "the record of what was applied is damaged", {
        hint: "keel os provision run applies everything again",
      });
    if (state === undefined) {
      output.document(
        { source: null, applied: [] },
        () => "No configuration was ever applied to this machine.\n",
      );
      return;
    }
    output.document(documentOf(state), () => stateText(state));
    return state.failures.length === 0 && !hasErrors(state) ? exitCode.done : exitCode.partly;
  });
};

function outcomeText({ source, steps, failures, waiting }: Outcome): string {
  if (source === undefined) return "Nobody has a configuration for this machine; nothing was changed.\n";
  const lines = steps.map(({ action, what }) => `  ${action.padEnd(7)} ${what}\n`);
  const failed = failures.map(({ what, message }) => `  failed  ${what}: ${message}\n`);
  const rest = waiting.length === 0 ? "" : `Waits for the network: ${waiting.join(", ")}\n`;
  const count = steps.length === 0 ? "everything is as it says" : `${steps.length} changes`;
  return `From ${source.kind} (${source.where}): ${count}\n${lines.join("")}${failed.join("")}${rest}`;
}

/** Without what only the machine itself needs: digests, numbers, what stood there before. */
function documentOf(state: ProvisionState): Record<string, unknown> {
  const { source, instance, at, configuration, failures, waiting, findings } = state;
  return {
    source: source ?? null,
    instance: instance ?? null,
    at: at ?? null,
    configuration: configuration ?? null,
    applied: state.applied.map((entry) => ({ id: entry.id, what: entry.what, at: entry.at })),
    failures,
    waiting,
    findings,
  };
}

const hasErrors = ({ findings }: ProvisionState): boolean =>
  findings.some(({ severity }) => severity === "error");
const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");

function stateText(state: ProvisionState): string {
  const { source, instance, at, applied, failures, waiting, findings } = state;
  return [
    `Source     ${source === undefined ? "none" : `${source.kind} (${source.where})`}\n`,
    `Instance   ${instance ?? "unknown"}\n`,
    `Applied    ${at === undefined ? "never" : time(at)}\n\n`,
    ...applied.map((entry) => `  ${time(entry.at)}  ${entry.what}\n`),
    ...(failures.length === 0 ? [] : ["\nFailed:\n"]),
    ...failures.map((failure) => `  ${time(failure.at)}  ${failure.what}: ${failure.message}\n`),
    ...(waiting.length === 0 ? [] : [`\nWaits for the network: ${waiting.join(", ")}\n`]),
    ...(findings.length === 0 ? [] : ["\nIn the configuration:\n", ...findings.map(findingText)]),
    ...(hasErrors(state) ? ["\nBecause of its errors nothing of it was applied.\n"] : []),
  ].join("");
}

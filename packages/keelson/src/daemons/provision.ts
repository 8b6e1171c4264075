#!/usr/bin/env node
// First-boot configuration as a program of its own, which keelson-provision.service runs: it loads nothing of keel's
// that it does not need. `keel os provision run` does the same for a person.
import { describeError, KeelError } from "../base/errors.ts";
import { createLog } from "../base/log.ts";
import { provisionHere } from "../provision/run-here.ts";

const [stage = "network"] = process.argv.slice(2);
const log = createLog((line) => void process.stdout.write(line));
const abort = new AbortController();
process.once("SIGTERM", () => abort.abort(new Error("it was told to stop")));

try {
  const { failures } = await provisionHere({
    stage: stage === "local" ? "local" : "network",
    log,
    signal: abort.signal,
    environment: process.env,
  });
  // As `keel` ends when something was done in part.
  process.exitCode = failures.length === 0 ? 0 : 6;
} catch (error) {
  const code = error instanceof KeelError ? `${error.code}: ` : "";
  const hint = error instanceof KeelError && error.hint !== undefined ? `; ${error.hint}` : "";
  log.error(`${code}${describeError(error)}${hint}`);
  process.exitCode = error instanceof KeelError ? error.exitCode : 1;
}

#!/usr/bin/env node
// The command of the package: `npx @keelson/etcd`.

import { writeSync } from "node:fs";
import { runStore } from "./run.ts";

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());

process.exitCode = await runStore(process.argv.slice(2), {
  program: "keelson-etcd",
  environment: process.env,
  out: (text) => void writeSync(1, text),
  err: (text) => void writeSync(2, text),
  signal: abort.signal,
});

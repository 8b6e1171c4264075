#!/usr/bin/env node
// The command of the package: `npx @keelson/etcd`.

import { writeSync } from "node:fs";

/** Answers with a list of headers, and `await using`, are in Node from this version on. */
const LEAST_NODE = [24, 7] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
  writeSync(
    2,
    `@keelson/etcd needs Node ${LEAST_NODE.join(".")} or newer; this is ${process.versions.node}\n`,
  );
  process.exitCode = 1;
} else {
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());
  const { runStore } = await import("./run.ts");
  process.exitCode = await runStore(process.argv.slice(2), {
    program: "keelson-etcd",
    environment: process.env,
    out: (text) => void writeSync(1, text),
    err: (text) => void writeSync(2, text),
    signal: abort.signal,
  });
}

// The unit of benchmarks: a process that sleeps, with what a careful operator writes, or without.
import { probeUnit } from "../test/support/cluster.ts";
import type { BenchOptions } from "./result.ts";

/** Requests, and a TCP check of a port that every machine has: its keeld's. */
const careful = "\n[X-Keelson]\nMemoryRequest=8M\nCPURequest=0.001\nHealthTCP=:7411\nHealthInterval=10s\n";

export const benchUnit = ({ plain = false }: BenchOptions): string => probeUnit(plain ? "" : careful);

/** For the sentence that says how a benchmark was run. */
export const kindOfUnits = ({ plain = false }: BenchOptions): string =>
  plain ? "plain services" : "services with requests and a TCP check every 10 s";

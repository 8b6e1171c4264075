// The store as a command of its own: reads flags as etcd does, says when it is ready as etcd does, and ends in order.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { EtcdError } from "../errors.ts";
import { EtcdServer, type LogFunction } from "../server/index.ts";
import { CLUSTER_VERSION, ETCD_VERSION } from "../server/options.ts";
import { readConfigFile } from "./config-file.ts";
import { FlagError } from "./flag-error.ts";
import { flagHelp, usage } from "./help.ts";
import { notifyReady } from "./notify.ts";
import { parseCommandLine, readEnvironment, refuseUnsupported, type GivenFlags } from "./parse-flags.ts";
import { selfSignedFiles } from "./self-signed.ts";
import { settingsOf, type Settings } from "./settings.ts";
import { logWriter, zapLog, type LogWriter } from "./zap-log.ts";

/** Where a command runs. */
export interface CommandSurroundings {
  /** What was typed to get here, for the usage. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: LogWriter;
  readonly err: LogWriter;
  /** Ends the store. */
  readonly signal: AbortSignal;
}

/** Serves a store until the signal is aborted. Resolves with the exit code: 2 for a wrong command line, as etcd. */
export async function runStore(argv: readonly string[], surroundings: CommandSurroundings): Promise<number> {
  const { program, out, err } = surroundings;
  // Until it is known where the log goes.
  let log = zapLog(err, "info");
  try {
    const { given, wants } = parseCommandLine(argv);
    if (wants === "help") {
      out(`${usage(program)}\n${flagHelp()}`);
      return 0;
    }
    if (wants === "version") {
      out(versionText());
      return 0;
    }
    const all = await everythingGiven(given, surroundings, log);
    refuseUnsupported(all);
    const settings = settingsOf(all);
    log = zapLog(logWriter(settings.logOutputs, surroundings), settings.logLevel);
    for (const warning of settings.warnings) log("warn", warning);
    return await serve(settings, surroundings, log);
  } catch (error) {
    if (error instanceof FlagError && error.isUsage) {
      err(`${error.message}\n${usage(program)}`);
      return 2;
    }
    if (error instanceof FlagError) log("error", "failed to verify flags", { error: error.message });
    else if (error instanceof EtcdError)
      log("error", "failed to start the store", { error: error.message, code: error.code });
    else throw error;
    return 1;
  }
}

async function everythingGiven(
  fromCommandLine: GivenFlags,
  { environment }: CommandSurroundings,
  log: LogFunction,
): Promise<GivenFlags> {
  const file = fromCommandLine.get("config-file") ?? environment["ETCD_CONFIG_FILE"] ?? "";
  if (file !== "") {
    const given = await readConfigFile(file);
    log(
      "info",
      "loaded server configuration, other configuration command line flags and environment variables will be ignored if provided",
      { path: file },
    );
    return given;
  }
  const fromEnvironment = readEnvironment(environment, fromCommandLine);
  for (const variable of fromEnvironment.used) {
    log("info", "recognized and used environment variable", { "variable-name": variable });
  }
  for (const variable of fromEnvironment.overruled) {
    log("warn", "a command-line flag overrules this environment variable", { "variable-name": variable });
  }
  for (const variable of fromEnvironment.unknown) {
    log("warn", "unrecognized environment variable", { "environment-variable": variable });
  }
  return new Map([...fromEnvironment.given, ...fromCommandLine]);
}

async function serve(
  settings: Settings,
  surroundings: CommandSurroundings,
  log: LogFunction,
): Promise<number> {
  const { dataDir, name = "default" } = settings.server;
  if (existsSync(join(dataDir, "member"))) {
    throw new FlagError(
      `--data-dir ${dataDir} is a data directory of etcd itself; its data can be brought over with \`keel store migrate\``,
    );
  }
  log("info", "starting an etcd server", {
    "etcd-version": ETCD_VERSION,
    implementation: "keelson",
    name,
    "data-dir": dataDir,
  });
  const { autoTls } = settings;
  if (autoTls !== undefined) selfSignedFiles(autoTls.folder, { ...autoTls, now: new Date() });
  await using server = await EtcdServer.start({ ...settings.server, log });
  // Harnesses of 3.4 wait for the first two of these lines, those of 3.5 for the third.
  log("info", "enabled capabilities for version", { "cluster-version": CLUSTER_VERSION });
  const clientUrls = settings.server.advertiseClientUrls ?? [];
  log("info", "published local member", { name, "client-urls": clientUrls });
  log("info", "ready to serve client requests");
  const hasOwn = server.httpAddresses.length > 0;
  const places = [
    ...server.addresses.map(({ url }) => ({ url, traffic: hasOwn ? "grpc" : "grpc+http" })),
    ...server.httpAddresses.map(({ url }) => ({ url, traffic: "http" })),
  ];
  for (const { url, traffic } of places) {
    const isSecure = /^(?:https|unixs):/.test(url);
    const message = isSecure
      ? "serving client traffic securely"
      : "serving client traffic insecurely; this is strongly discouraged!";
    log("info", message, { traffic, address: url.replace(/^[a-z]+:\/\//, "") });
  }
  for (const { url } of server.metricsAddresses) log("info", "serving metrics", { address: url });
  await notifyReady(surroundings.environment, log);
  await aborted(surroundings.signal);
  log("info", "closing etcd server", { name, "data-dir": dataDir });
  await server.close();
  log("info", "closed etcd server", { name, "data-dir": dataDir });
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function versionText(): string {
  const { node } = process.versions;
  return `etcd Version: ${ETCD_VERSION}\nCluster Version: ${CLUSTER_VERSION}\nImplementation: Keelson (@keelson/etcd)\nNode Version: v${node}\nOS/Arch: ${process.platform}/${process.arch}\n`;
}

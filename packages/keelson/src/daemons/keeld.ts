#!/usr/bin/env node
// The machine daemon: reads its configuration, starts its roles, and ends when it is told to.
import { version } from "../base/version.ts";
import type { Configuration } from "../base/configuration.ts";
import { systemClock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import { createLog } from "../base/log.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { Lifetime } from "../base/lifetime.ts";
import { loadConfiguration, parseCommandLine, usage } from "./command-line.ts";
import { Daemon } from "./daemon.ts";
import { ServiceManager } from "./notify.ts";

/** Whatever still hangs then is left behind; systemd would wait a little longer. */
const stopWithinMs = 9000;

const write = (line: string): void => void process.stdout.write(line);

async function run(config: string | undefined): Promise<void> {
  const credentialsDirectory = process.env["CREDENTIALS_DIRECTORY"];
  const configuration = await loadConfiguration(config, credentialsDirectory);
  let { logLevel } = configuration;
  const log = createLog(write, () => logLevel);
  endOnFaults(log);
  const onSignal: { hup?: () => void; usr1?: () => void } = {};
  process.on("SIGHUP", () => onSignal.hup?.());
  // Without a listener Node would open its debugger's port.
  process.on("SIGUSR1", () => onSignal.usr1?.());
  const stopping = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.resolve(signal));

  const systemd = new ServiceManager(process.env, log);
  const options = {
    configuration,
    version,
    clock: systemClock,
    random: systemRandom,
    log,
    ...(credentialsDirectory === undefined ? {} : { credentialsDirectory }),
  };
  const daemon = await Daemon.start(options);
  onSignal.usr1 = () => log.info("how things stand", daemon.describe());
  onSignal.hup = () => {
    loadConfiguration(config, credentialsDirectory).then(
      (next) => {
        ({ logLevel } = next);
        daemon.reload(next);
        const restart = needsRestart(configuration, next);
        if (restart.length > 0) log.warn("changed, and read at the next start only", { settings: restart });
        log.info("the configuration was read again", { logLevel, metadata: next.metadata });
      },
      (error: unknown) => log.error("the configuration was not taken", { error: describeError(error) }),
    );
  };
  const lifetime = new Lifetime(log);
  systemd.keepWatchdog(lifetime, systemClock);
  log.info("keeld runs", {
    version,
    cluster: configuration.cluster,
    roles: configuration.roles,
  });
  await systemd.send("READY=1");

  log.info(`stopping on ${await stopping.promise}`);
  setTimeout(() => {
    // It was told to end, and ends: on a starved machine that is no failure of the unit. Nothing rests on the rest.
    log.error("stopping took too long");
    process.exit(0);
  }, stopWithinMs).unref();
  await systemd.send("STOPPING=1");
  await lifetime.close();
  await daemon.stop();
}

/** Settings that differ and that a running daemon does not take up. */
function needsRestart(one: Configuration, other: Configuration): string[] {
  const names = Object.keys({ ...one, ...other }) as (keyof Configuration)[];
  return names.filter((name) => {
    if (name === "metadata" || name === "logLevel") return false;
    return JSON.stringify(one[name]) !== JSON.stringify(other[name]);
  });
}

function endOnFaults(log: Log): void {
  const end = (what: string) => (error: unknown) => {
    log.error(what, { error: describeError(error), stack: error instanceof Error ? error.stack : undefined });
    process.exit(1);
  };
  process.on("uncaughtException", end("an error was not caught"));
  process.on("unhandledRejection", end("a rejection was not handled"));
}

try {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.kind === "help") write(usage);
  else if (command.kind === "version") write(`keeld ${version}\n`);
  else await run(command.config);
  process.exit(0);
} catch (error) {
  const code = error instanceof KeelError ? `${error.code}: ` : "";
  const hint = error instanceof KeelError && error.hint !== undefined ? `\n${error.hint}` : "";
  process.stderr.write(`keeld: ${code}${describeError(error)}${hint}\n`);
  process.exit(error instanceof KeelError ? error.exitCode : 1);
}

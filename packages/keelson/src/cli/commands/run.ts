import { KeelError } from "../../base/errors.ts";
import { change } from "../change.ts";
import type { ChangeOptions } from "../change.ts";
import type { Register } from "../invocation.ts";
import { withGuards, withWait } from "../options.ts";
import { quadletFromRun } from "../quadlet-from-run.ts";
import { parseReplicas } from "../unit-changes.ts";

interface RunOptions extends ChangeOptions {
  readonly name?: string;
  readonly replicas?: string;
  readonly publish?: readonly string[];
  readonly env?: readonly string[];
  readonly volume?: readonly string[];
  readonly network?: readonly string[];
  readonly spread?: boolean;
  readonly replace?: boolean;
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export const register: Register = (program, act) => {
  const command = program
    .command("run")
    .argument("<image>", "the image’s name")
    .argument("[command...]", "what to run in it, behind -- if it has options")
    .description("Run an image. Writes a Quadlet file and starts it; --dry-run shows the file.")
    .option("--name <name>", "the unit’s name; the image’s last part if absent")
    .option("-n, --replicas <number>", "how many instances: makes a template NAME@.container")
    .option("-p, --publish <port>", "8080: on any port of the machine; 80:8080: on port 80", several)
    .option("-e, --env <pair>", "NAME=value", several)
    .option("-v, --volume <volume>", "a volume: data.volume:/data, /host/path:/data:ro", several)
    .option("--network <network>", "a network: app.network, host", several)
    .option("--spread", "never two replicas on one machine")
    .option("--replace", "put it in the place of a unit of this name");
  act<RunOptions>(withGuards(withWait(command)), async (keel, [image = "", ...words], options) => {
    const replicas = options.replicas === undefined ? undefined : parseReplicas(options.replicas);
    if (replicas === 0) throw new KeelError("KEEL-104", "-n 0 runs nothing", { hint: "-n 1 or more" });
    const file = quadletFromRun({
      image,
      name: options.name,
      replicas,
      ports: options.publish ?? [],
      environment: options.env ?? [],
      volumes: options.volume ?? [],
      networks: options.network ?? [],
      spread: options.spread === true,
      command: words,
    });
    if (options.dryRun === true && keel.output.format === "text")
      keel.terminal.out(`# ${file.name}\n${file.text}\n`);
    const body = Buffer.from(file.text).toString("base64");
    const intent = {
      kind: "submit",
      files: [{ name: file.name, body }],
      desired: "launched",
      replace: options.replace === true,
      ...(replicas === undefined ? {} : { replicas }),
    } as const;
    return change(keel, { ...intent, files: [...intent.files] }, options);
  });
};

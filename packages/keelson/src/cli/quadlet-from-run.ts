// `keel run IMAGE …` as the Quadlet file that a person would have written: that file is what is handed in,
// and `--dry-run` shows it.
import { quoteArgument } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";

export interface RunRequest {
  readonly image: string;
  readonly name: string | undefined;
  /** Number of replicas; a plain unit without a template if absent. */
  readonly replicas: number | undefined;
  readonly ports: readonly string[];
  readonly environment: readonly string[];
  readonly volumes: readonly string[];
  readonly networks: readonly string[];
  /** Never two replicas on one machine. */
  readonly spread: boolean;
  readonly command: readonly string[];
}

export interface GeneratedQuadlet {
  /** `web.container`, or `web@.container` with replicas. */
  readonly name: string;
  readonly text: string;
}

/** The Quadlet for a request. Throws KEEL-104 for what cannot be expressed. */
export function quadletFromRun(request: RunRequest): GeneratedQuadlet {
  const name = request.name ?? nameFromImage(request.image);
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw new KeelError("KEEL-104", `"${name}" cannot be the name of a unit`, {
      hint: "--name with letters, digits, - _ .",
    });
  }
  const template = request.replicas !== undefined;
  const container = [
    `Image=${oneLine(request.image, "the image")}`,
    ...request.ports.map((port) => `PublishPort=${publishedPort(port)}`),
    ...request.environment.map((pair) => `Environment=${quoteArgument(environmentPair(pair))}`),
    ...request.volumes.map((volume) => `Volume=${oneLine(volume, "--volume")}`),
    ...request.networks.map((network) => `Network=${oneLine(network, "--network")}`),
    ...(request.command.length === 0 ? [] : [`Exec=${request.command.map(quoteArgument).join(" ")}`]),
  ];
  const sections = [
    `[Unit]\nDescription=${oneLine(request.image, "the image")} as ${name}\n`,
    `[Container]\n${container.join("\n")}\n`,
    "[Service]\nRestart=on-failure\nRestartSec=1\n",
  ];
  if (request.spread && !template) {
    throw new KeelError("KEEL-104", "--spread needs replicas to spread", { hint: "-n 3 --spread" });
  }
  if (request.spread) sections.push(`[X-Fleet]\nConflicts=${name}@*.container\n`);
  return { name: template ? `${name}@.container` : `${name}.container`, text: sections.join("\n") };
}

/** `docker.io/library/nginx:1.27` is called `nginx`. */
export function nameFromImage(image: string): string {
  const last =
    image
      .replace(/@sha256:[0-9a-f]+$/, "")
      .split("/")
      .at(-1) ?? "";
  return last.replace(/:[^:]*$/, "").replace(/\.(container|image|build)$/, "");
}

/**
 * `8080` publishes the container's port 8080 on a free port of the machine, `80:8080` on port 80;
 * podman's own longer forms (`127.0.0.1:80:8080/udp`) are passed on. Source: podman-systemd.unit(5), PublishPort.
 */
export function publishedPort(text: string): string {
  const match =
    /^(?:(?:\[[0-9a-fA-F:]+\]|\d{1,3}(?:\.\d{1,3}){3}):)?(?:\d*:)?\d+(?:\/(?:tcp|udp|sctp))?$/.exec(text);
  const ports = text
    .replace(/\/\w+$/, "")
    .split(":")
    .slice(-2)
    .filter((part) => /^\d+$/.test(part));
  if (match && ports.every((port) => Number(port) >= 1 && Number(port) <= 65_535)) return text;
  throw new KeelError("KEEL-104", `-p ${text}: no port to publish`, {
    hint: "-p 8080 (any port of the machine) or -p 80:8080",
  });
}

function environmentPair(text: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*=/.test(text)) return text;
  throw new KeelError("KEEL-104", `--env ${text}: no NAME=value`, { hint: "--env LANG=C.UTF-8" });
}

function oneLine(text: string, what: string): string {
  if (text.trim() !== "" && !/[\r\n]/.test(text) && text === text.trim() && !text.endsWith("\\")) return text;
  throw new KeelError("KEEL-104", `${what} "${text}" cannot be written into a unit file`);
}

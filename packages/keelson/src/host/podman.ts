// podman by its command: a process per question, nothing that stays. Quadlet labels each container with the
// systemd unit it belongs to; that is how they are found.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import type { ContainerFacts, ImageArchive, PublishedAddress } from "./host.ts";
import { downloadArchive } from "./image-download.ts";
import { runProgram } from "./run-program.ts";

const answerMs = 1000;
const unitLabel = "PODMAN_SYSTEMD_UNIT";

export class Podman {
  /** A folder on disk for archives on their way. */
  readonly #folder: string;
  readonly #imageIds = new Map<string, Promise<string | undefined>>();
  readonly #loading = new Map<string, Promise<void>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Units that start together ask for the same images: they share an answer for a moment. */
  imageId(reference: string): Promise<string | undefined> {
    const known = this.#imageIds.get(reference);
    if (known !== undefined) return known;
    const asked = this.#readImageId(reference);
    this.#imageIds.set(reference, asked);
    setTimeout(() => this.#imageIds.delete(reference), answerMs).unref();
    return asked;
  }

  async #readImageId(reference: string): Promise<string | undefined> {
    const argv = ["podman", "image", "inspect", "--format", "{{.Id}}", reference] as const;
    const { status, stdout } = await runProgram(argv);
    const id = stdout.trim().replace(/^sha256:/, "");
    return status === 0 && /^[0-9a-f]{64}$/.test(id) ? id : undefined;
  }

  /** One load at a time for each archive, however many units wait for it. */
  load(archive: ImageArchive, signal: AbortSignal): Promise<void> {
    const loading = this.#loading.get(archive.sha256) ?? this.#load(archive, signal);
    this.#loading.set(archive.sha256, loading);
    return loading;
  }

  async #load(archive: ImageArchive, signal: AbortSignal): Promise<void> {
    const folder = await mkdtemp(join(this.#folder, "image-"));
    try {
      const file = join(folder, "archive");
      await downloadArchive(archive, file, signal);
      const { status, stderr } = await runProgram(["podman", "load", "--quiet", "--input", file], {
        signal,
        timeoutMs: 600_000,
      });
      if (status !== 0) throw new KeelError("KEEL-107", `podman load failed: ${lastLine(stderr)}`);
    } finally {
      this.#imageIds.clear();
      this.#loading.delete(archive.sha256);
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The id of the container that a systemd unit runs; `undefined` while it runs none. */
  async containerOf(service: string): Promise<string | undefined> {
    const argv = [
      "podman",
      "ps",
      "--no-trunc",
      "--quiet",
      "--filter",
      `label=${unitLabel}=${service}`,
    ] as const;
    const { status, stdout } = await runProgram(argv);
    const [id = ""] = stdout.trim().split("\n");
    return status === 0 && /^[0-9a-f]{64}$/.test(id) ? id : undefined;
  }

  /** Containers by the systemd unit that they belong to. */
  async containers(): Promise<Map<string, ContainerFacts>> {
    const argv = ["podman", "ps", "--filter", `label=${unitLabel}`, "--format", "json"] as const;
    const { status, stdout, stderr } = await runProgram(argv);
    if (status !== 0) throw new KeelError("KEEL-900", `podman ps failed: ${lastLine(stderr)}`);
    return readContainers(stdout);
  }
}

interface Listed {
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Status?: string;
  readonly Ports?:
    | readonly {
        readonly host_ip?: string;
        readonly host_port?: number;
        readonly range?: number;
        readonly protocol?: string;
      }[]
    | null;
}

/** Reads `podman ps --format json`. The containers of a pod show its ports; they count once. */
export function readContainers(json: string): Map<string, ContainerFacts> {
  const found = new Map<string, ContainerFacts>();
  for (const container of JSON.parse(json === "" ? "[]" : json) as readonly Listed[]) {
    const unit = container.Labels?.[unitLabel];
    if (unit === undefined) continue;
    const health = /\((healthy|unhealthy|starting)\)/.exec(container.Status ?? "")?.[1] ?? "";
    found.set(unit, {
      health: found.get(unit)?.health || health,
      published: readPorts(container.Ports ?? []),
    });
  }
  return found;
}

function readPorts(ports: NonNullable<Listed["Ports"]>): PublishedAddress[] {
  return ports.flatMap(({ host_ip = "", host_port = 0, range = 1, protocol = "tcp" }) =>
    Array.from({ length: range }, (_, offset) => ({
      address: host_ip === "0.0.0.0" || host_ip === "::" ? "" : host_ip,
      port: host_port + offset,
      protocol,
    })),
  );
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

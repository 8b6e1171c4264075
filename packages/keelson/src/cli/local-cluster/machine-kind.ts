// `keel up --provider qemu`: what the cluster's virtual machines are made of, found out once and kept in its record.
import { existsSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { KeelError } from "../../base/errors.ts";
import type { ClusterRecord } from "../../local/cluster.ts";
import { acceleratorNamed, chooseAccelerator } from "../../local/qemu/accelerator.ts";
import { emulatorCommand, emulatorProgram, hostEmulatorServes } from "../../local/qemu/emulator.ts";
import type { QemuBase } from "../../local/qemu/machine-disk.ts";
import { toolsTree } from "../../local/tree/tools-tree.ts";
import type { Invocation } from "../invocation.ts";

export const providers = ["nspawn", "qemu"] as const;
export type ProviderName = (typeof providers)[number];

/** As `keel up` takes them. */
export interface MachineKindOptions {
  readonly provider?: string;
  readonly image?: string;
  readonly memory?: string;
  readonly cpus?: string;
}

/** What a person asked for, checked: nothing is made yet. */
export interface MachineKind {
  readonly provider: ProviderName;
  readonly image: string | undefined;
  readonly memoryBytes: number | undefined;
  readonly processors: number | undefined;
}

const mebibyte = 2 ** 20;
export const defaultVirtualMemory = 1024 * mebibyte;
/** Less, and the system does not start. */
const leastMemory = 384 * mebibyte;
const diskBytes = 16 * 1024 * mebibyte;

/**
 * The kind of machines that is asked for, and that a cluster which is there has. Throws KEEL-104 for words that make
 * no sense, KEEL-305 when the cluster has machines of another kind.
 */
export function machineKind(options: MachineKindOptions, record: ClusterRecord | undefined): MachineKind {
  const { provider: asked, image, memory, cpus } = options;
  if (asked !== undefined && !providers.includes(asked as ProviderName))
    throw new KeelError("KEEL-104", `--provider ${asked}: machines are nspawn or qemu`);
  const existing = record === undefined ? undefined : record.qemu === undefined ? "nspawn" : "qemu";
  const provider = (asked as ProviderName | undefined) ?? existing ?? "nspawn";
  if (existing !== undefined && existing !== provider) {
    throw new KeelError("KEEL-305", `the cluster’s machines are of the kind ${existing}, not ${provider}`, {
      hint: "`keel down` removes it, `--cluster OTHER` makes another beside it",
    });
  }
  const given = Object.entries({ image, memory, cpus }).find(([, value]) => value !== undefined)?.[0];
  if (provider === "nspawn" && given !== undefined) {
    throw new KeelError("KEEL-104", `--${given} is for virtual machines only`, {
      hint: `--provider qemu --${given} …`,
    });
  }
  return {
    provider,
    image: image === undefined ? undefined : imageFile(image),
    memoryBytes: memory === undefined ? undefined : memorySize(memory),
    processors: cpus === undefined ? undefined : processorCount(cpus),
  };
}

/** Makes or finds what the machines need. Throws KEEL-302 when something cannot be built. */
export async function virtualBase(
  keel: Invocation,
  kind: MachineKind,
  needs: {
    readonly repository: string;
    readonly mirror: string | undefined;
    /** What the cluster's machines are made of so far. */
    readonly before: QemuBase | undefined;
  },
): Promise<QemuBase> {
  const { before, repository } = needs;
  const { progress, signal } = keel;
  const mirror = needs.mirror === undefined ? {} : { mirror: needs.mirror };
  const tools =
    before === undefined
      ? (await hostEmulatorServes())
        ? undefined
        : await toolsTree({ repository, progress, signal, ...mirror })
      : before.tools;
  const accelerator = await progress.run(
    "try virtualisation",
    () =>
      before === undefined
        ? chooseAccelerator({ emulator: emulatorCommand(tools, [emulatorProgram], []) })
        : Promise.resolve(acceleratorNamed(before.accelerator)),
    ({ because }) => because,
  );
  const image = kind.image ?? (await builtImage(keel, needs));
  return {
    image,
    ...(tools === undefined ? {} : { tools }),
    accelerator: accelerator.name,
    memoryBytes: kind.memoryBytes ?? before?.memoryBytes ?? defaultVirtualMemory,
    processors: kind.processors ?? before?.processors ?? defaultProcessors(accelerator.name),
    diskBytes: Math.max(before?.diskBytes ?? diskBytes, statSync(image).size),
  };
}

/** What a person should know about machines that are slow here. */
export function slownessNote(base: QemuBase): string | undefined {
  const { name, because, slowness } = acceleratorNamed(base.accelerator);
  if (name === "kvm") return undefined;
  return `machines are ${because.split(":")[0]}, without KVM: everything in them takes several times as long, and leases last ${slowness} times as long`;
}

async function builtImage(
  { progress, signal }: Invocation,
  { repository, mirror }: { readonly repository: string; readonly mirror: string | undefined },
): Promise<string> {
  const { buildImage } = await import("../../image/build-image.ts");
  const { disk } = await buildImage({
    repository,
    variant: "vm",
    version: "0.1.0",
    progress,
    signal,
    ...(mirror === undefined ? {} : { mirror }),
  });
  return disk;
}

/** An emulated processor costs one of the host's whenever it works. */
function defaultProcessors(accelerator: QemuBase["accelerator"]): number {
  return accelerator === "kvm" ? Math.min(2, availableParallelism()) : 1;
}

function imageFile(path: string): string {
  const file = resolve(path);
  if (existsSync(file) && statSync(file).isFile()) return file;
  throw new KeelError("KEEL-104", `--image ${path}: no such file`, {
    hint: "a raw image of `keel os build`",
  });
}

function memorySize(text: string): number {
  const [, number = "", unit] = /^(\d{1,6})([MG])$/i.exec(text) ?? [];
  const bytes = Number(number) * (unit?.toUpperCase() === "G" ? 1024 : 1) * mebibyte;
  if (bytes >= leastMemory && bytes <= 1024 ** 4) return bytes;
  throw new KeelError("KEEL-104", `--memory ${text}: no size of a machine’s memory`, {
    hint: "from 384M, for example 2G",
  });
}

function processorCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 64) return count;
  throw new KeelError("KEEL-104", `--cpus ${text}: no number of processors`, {
    hint: "a whole number from 1 to 64",
  });
}

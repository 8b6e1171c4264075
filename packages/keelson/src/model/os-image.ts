// Names that the image, its first process, the updater and the machines' providers agree on.
// docs/os-image.md draws them; os/initrd/init.c and os/partitions/ hold the same.

/** GPT partition labels. Slots never change their labels: what is in a slot says which version it is. */
export const partitions = {
  esp: "keelson-esp",
  slots: { a: "keelson-root-a", b: "keelson-root-b" },
  state: "keelson-state",
} as const;

export type SlotName = keyof typeof partitions.slots;

/** Bytes of a root slot: an erofs file system with its dm-verity tree behind it. */
export const slotBytes = 1 << 30;

/**
 * Words of the kernel's command line, all inside the signed unified kernel image:
 * `keelson.root=<UUID of the erofs>` finds the slot, `keelson.verity=<root hash>,<salt>,<data blocks>` proves it,
 * `keelson.version=<version>`, `keelson.variant=<variant>` name it.
 */
export const kernelWords = {
  root: "keelson.root",
  verity: "keelson.verity",
  version: "keelson.version",
  variant: "keelson.variant",
} as const;

export const variants = ["vm", "metal", "minimal"] as const;
export type Variant = (typeof variants)[number];

/** A unified kernel image on the ESP, with the Boot Loader Specification's counters: left tries, then failed ones. */
export interface BootEntry {
  readonly version: string;
  /** Undefined once the boot was blessed. */
  readonly tries?: { readonly left: number; readonly done: number };
}

/** Tries of a version before the boot loader prefers another. */
export const bootTries = 3;

/** Folder of the unified kernel images on the ESP. */
export const entryFolder = "EFI/Linux";

/** `keelson_1.2.3+3-0.efi`, `keelson_1.2.3.efi`. */
export function bootEntryName({ version, tries }: BootEntry): string {
  const counter = tries === undefined ? "" : `+${tries.left}${tries.done === 0 ? "" : `-${tries.done}`}`;
  return `keelson_${version}${counter}.efi`;
}

/** Undefined for what is no entry of Keelson's. */
export function parseBootEntry(name: string): BootEntry | undefined {
  const match = /^keelson_(\d{1,9}\.\d{1,9}\.\d{1,9})(?:\+(\d{1,3})(?:-(\d{1,3}))?)?\.efi$/i.exec(name);
  if (match === null) return undefined;
  const [, version = "", left, done] = match;
  return left === undefined
    ? { version }
    : { version, tries: { left: Number(left), done: Number(done ?? 0) } };
}

/** Where a machine keeps what an update must not lose, all on the state partition. */
export const statePaths = {
  /** The updater's own records: state.json, history.jsonl, failed versions and their journals. */
  updater: "/var/lib/keelson/os",
  /** Upper and work folder of the overlay on /etc. */
  etc: "/var/lib/keelson/etc",
  /** First-boot configuration: what was applied, and the machine's identity. */
  provision: "/var/lib/keelson/provision",
  /** A first-boot configuration that came with the disk, as it was given: by an export or an installation. */
  seed: "/var/lib/keelson/provision/seed/user-data",
  /** Credentials for services, made at first boot: keelson.config and keelson.store. */
  credentials: "/etc/credstore",
} as const;

/**
 * What a medium that was started from without a disk (ISO, network) brings along, in memory: `root.img` (a slot's
 * content), `esp/` (what an ESP holds), and where they were given `user-data` (a first-boot configuration) and
 * `install` (the disk to install to without asking, or `auto`). The state of such a machine is in memory.
 */
export const livePath = "/run/keelson/live";

/**
 * What stands for the disk of a machine made of folders: the slots as files, `esp/`, and of the running system
 * `command-line` and `slot`, as its kernel and its first process would tell them.
 */
export const treeDisk = {
  /** There only on such a machine. */
  path: "/run/keelson/tree",
  slots: { a: "root-a.img", b: "root-b.img" },
  esp: "esp",
  commandLine: "command-line",
  active: "slot",
} as const;

/** What an image says of its own cost: os/budget.json and os/stock.json of its checkout, and its packages, one a line. */
export const costFiles = {
  budget: "/usr/lib/keelson/budget.json",
  stock: "/usr/lib/keelson/stock.json",
  packages: "/usr/lib/keelson/packages.txt",
} as const;

/** /etc as it may be written, with /etc's own modes: /etc itself is mounted read-only. */
export const writableEtc = "/run/keelson/etc";

/** What tells a started machine how it was started. Neither is there on a machine without an image. */
export const bootMarks = {
  /** Written by the first process: see host/os-facts.ts. */
  os: "/run/keelson/os",
  /** Why the machine runs without its state. */
  rescue: "/run/keelson/rescue",
  /** `left=2 done=1`: the boot is on trial, and what the boot loader counted. */
  trial: "/run/keelson/trial",
} as const;

/** Names of a release's files. Root images and kernels are of one version, variant and architecture. */
export function releaseFileName(
  { version, variant, architecture }: ReleaseName,
  part: "root.zst" | "efi" | "manifest.json" | "sbom.json",
): string {
  return `keelson_${version}_${variant}_${architecture}.${part}`;
}

export interface ReleaseName {
  /** Three numbers with dots. */
  readonly version: string;
  readonly variant: Variant;
  /** Debian's: amd64, arm64. */
  readonly architecture: string;
}

/** `keelson_1.0.0_1.0.1_vm_amd64.delta`: makes one root image from another. */
export function deltaFileName(from: string, { version, variant, architecture }: ReleaseName): string {
  return `keelson_${from}_${version}_${variant}_${architecture}.delta`;
}

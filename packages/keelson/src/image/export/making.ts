import type { Step } from "../../local/progress.ts";
import type { Signer } from "../../secure-boot/sign.ts";
import type { BuildParts } from "../disk/build-disk.ts";

/** What the makers of all formats are given. */
export interface Making {
  /** The tree of image tools. */
  readonly tools: string;
  readonly build: BuildParts;
  /** A folder of their own for temporary files, on the file system of the output. */
  readonly work: string;
  /** The raw disk to be exported, of the format's size and with its configuration. */
  readonly disk: { readonly path: string; readonly bytes: number };
  /** `keelson_1.0.0_vm_amd64`. */
  readonly name: string;
  /** Seconds since 1970: the build's own time, so that nothing depends on when it is exported. */
  readonly made: number;
  readonly cloudConfig?: Uint8Array;
  /** Of live media: the disk to install to without asking, or `auto`. */
  readonly installTo?: string;
  /** Secure Boot: signs kernel images that are made here. */
  readonly signing?: Signer;
  readonly step: Step;
  readonly signal?: AbortSignal;
}

/** Makes `output`, which is not there yet: a file, or a folder for formats that are one. */
export type Make = (making: Making, output: string) => Promise<void>;

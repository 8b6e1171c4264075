// How this machine was started, from what its image's first process left in /run/keelson/os.
import { bootMarks } from "../model/os-image.ts";
import type { SlotName } from "../model/os-image.ts";
import { readIfThere } from "./atomic-file.ts";

export interface OsFacts {
  /** Three numbers with dots. */
  readonly version: string;
  readonly variant: string;
  /** Undefined when the machine was started around the boot loader from something that is no slot. */
  readonly slot?: SlotName;
  /** UUID of the root's erofs. */
  readonly rootUuid?: string;
  /** Devices, as `/dev/vda4`; undefined when they were not found. */
  readonly disk?: string;
  readonly espDevice?: string;
  readonly rootDevice?: string;
  readonly stateDevice?: string;
}

const names = {
  VERSION: "version",
  VARIANT: "variant",
  SLOT: "slot",
  ROOT_UUID: "rootUuid",
  DISK: "disk",
  ESP_DEVICE: "espDevice",
  ROOT_DEVICE: "rootDevice",
  STATE_DEVICE: "stateDevice",
} as const satisfies Record<string, keyof OsFacts>;

const devicePattern = /^\/dev\/[A-Za-z0-9/_.:-]{1,100}$/;

/** Undefined for a text that names no version; what cannot be believed is left out. */
export function parseOsFacts(text: string): OsFacts | undefined {
  const found: Partial<Record<keyof OsFacts, string>> = {};
  for (const line of text.slice(0, 16_384).split("\n")) {
    const at = line.indexOf("=");
    const name = line.slice(0, Math.max(0, at));
    if (!Object.hasOwn(names, name)) continue;
    const field = names[name as keyof typeof names];
    const value = line.slice(at + 1).trim();
    if (isCredible(field, value)) found[field] = value;
  }
  const { version, variant = "", ...rest } = found;
  return version === undefined ? undefined : ({ version, variant, ...rest } as OsFacts);
}

function isCredible(field: keyof OsFacts, value: string): boolean {
  switch (field) {
    case "version":
      return /^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(value);
    case "variant":
      return /^[a-z]{1,20}$/.test(value);
    case "slot":
      return value === "a" || value === "b";
    case "rootUuid":
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);
    case "disk":
    case "espDevice":
    case "rootDevice":
    case "stateDevice":
      return devicePattern.test(value);
  }
}

/** Undefined on a machine that did not start from an image. */
export async function readOsFacts(path: string = bootMarks.os): Promise<OsFacts | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : parseOsFacts(text);
}

// Values that the documents of this folder share.
import * as z from "zod/mini";

export const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** Three numbers, each written in one way only. */
export const version = z.string().check(z.regex(/^(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){2}$/));

export const productName = z.literal("keelson-os");

/** Seconds since 1970, until the year 9999. */
export const moment = z.int().check(z.gte(0), z.lte(253_402_300_799));

export const mostEpoch = 1_000_000;
export const epoch = z.int().check(z.gte(0), z.lte(mostEpoch));

export const channelName = z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/));

/** Pointers of one generation; the root says which counts. */
export const generation = z.int().check(z.gte(0), z.lte(1_000_000));

/** Which of two releases is the newer one: the epoch first, then the version. Negative when `a` is older. */
export function compareReleases(a: ReleaseOrder, b: ReleaseOrder): number {
  return a.epoch - b.epoch || compareVersions(a.version, b.version);
}

export interface ReleaseOrder {
  readonly epoch: number;
  readonly version: string;
}

/** By their numbers. Negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (const i of [0, 1, 2]) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `2026-11-21T14:00:00Z`. */
export function momentText(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

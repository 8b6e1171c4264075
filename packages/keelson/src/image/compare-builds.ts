// What changed between two builds, from their lists of parts: data for machines, and sentences for people.
import { formatBytes } from "../local/progress.ts";
import type { Component } from "./sbom.ts";

export interface ChangedComponent {
  readonly name: string;
  readonly kind: Component["kind"];
  readonly from: string;
  readonly to: string;
}

export interface BuildFacts {
  readonly version: string;
  readonly components: readonly Component[];
  /** Bytes of the download, of the root once unpacked, and of the kernel image. */
  readonly sizes: { readonly download: number; readonly root: number; readonly kernel: number };
}

export interface BuildDifference {
  readonly from: string;
  readonly to: string;
  readonly added: readonly Component[];
  readonly removed: readonly Component[];
  readonly changed: readonly ChangedComponent[];
  readonly sizes: readonly { readonly what: string; readonly from: number; readonly to: number }[];
}

export function compareBuilds(from: BuildFacts, to: BuildFacts): BuildDifference {
  const before = byName(from.components);
  const after = byName(to.components);
  const added = [...after].filter(([key]) => !before.has(key)).map(([, component]) => component);
  const removed = [...before].filter(([key]) => !after.has(key)).map(([, component]) => component);
  const changed: ChangedComponent[] = [];
  for (const [key, { name, kind, version }] of before) {
    const now = after.get(key);
    if (now !== undefined && now.version !== version)
      changed.push({ name, kind, from: version, to: now.version });
  }
  return {
    from: from.version,
    to: to.version,
    added,
    removed,
    changed,
    sizes: [
      { what: "download", from: from.sizes.download, to: to.sizes.download },
      { what: "root file system", from: from.sizes.root, to: to.sizes.root },
      { what: "kernel image", from: from.sizes.kernel, to: to.sizes.kernel },
    ],
  };
}

/** Kernel packages carry their version in their name: without it, an update is a change and not two packages. */
function byName(components: readonly Component[]): Map<string, Component> {
  return new Map(
    components.map((component) => {
      const name = component.name.replace(/^linux-image-\d[\w.+~]*-/, "linux-image-");
      const own = name === component.name ? "" : " of one version";
      return [`${component.kind} ${name}${own}`, component];
    }),
  );
}

/** A few lines for people; says so when nothing changed. */
export function differenceText(difference: BuildDifference): string {
  const { added, removed, changed } = difference;
  const kernel = changed.filter(({ name }) => name.startsWith("linux-image-"));
  const others = changed.filter((change) => !kernel.includes(change));
  const lines = [`From ${difference.from} to ${difference.to}:`];
  for (const { from, to } of kernel.slice(0, 1)) lines.push(`  The kernel goes from ${from} to ${to}.`);
  if (others.length > 0) lines.push(`  ${plural(others.length, "part")} changed:`);
  for (const { name, from, to } of others) lines.push(`    ${name} ${from} → ${to}`);
  if (added.length > 0) lines.push(`  ${plural(added.length, "part")} came: ${named(added)}.`);
  if (removed.length > 0) lines.push(`  ${plural(removed.length, "part")} went: ${named(removed)}.`);
  if (added.length + removed.length + changed.length === 0)
    lines.push("  The same packages in the same versions.");
  for (const { what, from, to } of difference.sizes) {
    if (from === to) lines.push(`  The ${what} stays at ${formatBytes(to)}.`);
    else {
      const direction = to > from ? "grows" : "shrinks";
      lines.push(`  The ${what} ${direction} by ${formatBytes(Math.abs(to - from))} to ${formatBytes(to)}.`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function named(components: readonly Component[]): string {
  return components.map(({ name, version }) => `${name} ${version}`).join(", ");
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

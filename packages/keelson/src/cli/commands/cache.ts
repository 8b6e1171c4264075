import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { LocalCluster } from "../../local/cluster.ts";
import { formatBytes } from "../../local/progress.ts";
import { defaultCacheDirectory, pruneCache } from "../../local/tree/machine-tree.ts";
import { formatAge } from "../duration.ts";
import type { Register } from "../invocation.ts";
import { localClusters } from "../local-cluster/take-down.ts";
import { renderTable } from "../table.ts";
import type { Column } from "../table.ts";

interface CacheRow {
  readonly kind: string;
  readonly entry: string;
  readonly path: string;
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly used: number;
}

const columns = (now: number): readonly Column<CacheRow>[] => [
  { name: "kind", cell: (row) => row.kind },
  { name: "entry", cell: (row) => row.entry },
  { name: "size", cell: (row) => formatBytes(row.bytes) },
  { name: "used", cell: (row) => formatAge(row.used, now) },
];

export const register: Register = (program, act) => {
  const group = program.command("cache").description("What is kept on this host for the next `keel up`.");
  const list = group.command("ls").alias("list").description("List what is cached, with sizes.");
  act(list, async ({ output, clock }) => {
    const rows = await cacheRows();
    const total = rows.reduce((sum, row) => sum + row.bytes, 0);
    output.list({
      name: "entries",
      type: "entry",
      items: rows.map((row) => ({ ...row })),
      more: { folder: defaultCacheDirectory, bytes: total },
      text: () =>
        `${renderTable(columns(clock.wall()), rows)}${formatBytes(total)} in ${defaultCacheDirectory}\n`,
    });
  });

  const remove = group
    .command("rm")
    .option("--all", "everything, also the latest; refused while clusters use it")
    .description("Remove old entries; the last few of each kind and what clusters use stay.");
  act<{ readonly all?: boolean }>(remove, async ({ output }, _args, options) => {
    const before = await cacheRows();
    const clusters = await localClusters();
    if (options.all === true) {
      if (clusters.length > 0) {
        const hint = `\`keel down --all\` removes them`;
        throw new KeelError("KEEL-305", `the cache is in use by ${clusters.join(", ")}`, { hint });
      }
      await rm(defaultCacheDirectory, { recursive: true, force: true });
    } else {
      const inUse = await Promise.all(clusters.map((name) => new LocalCluster(name).cachePaths()));
      await pruneCache(defaultCacheDirectory, inUse.flat());
    }
    const after = new Set((await cacheRows()).map((row) => row.path));
    const removed = before.filter((row) => !after.has(row.path));
    const bytes = removed.reduce((sum, row) => sum + row.bytes, 0);
    output.document(
      { removed, bytes },
      () => `${removed.length} entries removed, ${formatBytes(bytes)}; \`keel up\` makes them again\n`,
    );
  });
};

async function cacheRows(): Promise<readonly CacheRow[]> {
  const rows: CacheRow[] = [];
  for (const kind of await visible(defaultCacheDirectory)) {
    for (const entry of await visible(join(defaultCacheDirectory, kind))) {
      const path = join(defaultCacheDirectory, kind, entry);
      rows.push({ kind, entry, path, bytes: await sizeOf(path), used: (await lstat(path)).mtimeMs });
    }
  }
  return rows;
}

async function visible(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !name.startsWith(".")).toSorted();
}

/** Bytes on disk of a folder with all that is in it. */
async function sizeOf(path: string): Promise<number> {
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return 0;
  const own = info.blocks * 512;
  if (!info.isDirectory()) return own;
  const inside = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
  return inside.reduce((sum, bytes) => sum + bytes, own);
}

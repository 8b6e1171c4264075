// Looks through the upper folder of /etc's overlay, and brings it to a new version. Runs as root on an installed
// machine: once at the first boot of a version (keelson-etc.service), and when somebody asks.
import { open, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { KeelError } from "../../base/errors.ts";
import { readIfThere, writeAtomically } from "../../host/atomic-file.ts";
import { runProgram } from "../../host/run-program.ts";
import { statePaths, writableEtc } from "../../model/os-image.ts";
import { accountFiles, joinAccounts } from "./accounts.ts";
import type { AccountFile, Accounts } from "./accounts.ts";
import { survey } from "./survey.ts";
import type { LowerHashes, OwnPath, Survey } from "./survey.ts";

/** Other places in tests. */
export interface EtcPlaces {
  readonly upper: string;
  readonly writable: string;
  /** Hashes of the image's files below the overlay. */
  readonly hashes: string;
  readonly provisioned: string;
  /** Calls a command with the image's own /etc as its working directory. */
  readonly inLower: (argv: readonly [string, ...string[]]) => Promise<string>;
}

export const etcPlaces: EtcPlaces = {
  upper: join(statePaths.etc, "upper"),
  writable: writableEtc,
  hashes: join(statePaths.etc, "lower.json"),
  provisioned: join(statePaths.provision, "state.json"),
  inLower: async (argv) => {
    // A bind of the root leaves out what is mounted on it: there /etc is the image's own.
    const script = 'mount --bind / /mnt && cd /mnt/etc && exec "$@"';
    const unshared = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"] as const;
    return (await runProgram([...unshared, ...argv], { timeoutMs: 60_000 })).stdout;
  },
};

const mostPaths = 20_000;

/** What the machine has of its own in /etc. Nothing is changed but what is remembered of the image's files. */
export async function surveyEtc(places: EtcPlaces = etcPlaces): Promise<Survey> {
  const own = await ownPaths(places.upper);
  const found = survey({
    own,
    lower: await lowerHashes(places, own),
    known: await knownHashes(places.hashes),
    rendered: await renderedPaths(places.provisioned),
  });
  await writeAtomically(places.hashes, `${JSON.stringify(found.hashes)}\n`, 0o600);
  return found;
}

/** Accounts of the image that the machine lacks are added; resolves with the files that changed. */
export async function settleAccounts(places: EtcPlaces = etcPlaces): Promise<readonly AccountFile[]> {
  const machine = await accountsIn(async (name) => (await readIfThere(join(places.writable, name))) ?? "");
  const image = await accountsIn((name) => places.inLower(["cat", name]));
  if (!image.passwd.includes("root:"))
    throw new KeelError("KEEL-861", "the image’s own accounts cannot be read");
  const joined = joinAccounts(machine, image);
  const changed = accountFiles.filter((name) => joined[name] !== machine[name]);
  for (const name of changed) await replaceFile(join(places.writable, name), joined[name]);
  return changed;
}

async function accountsIn(read: (name: AccountFile) => Promise<string>): Promise<Accounts> {
  const [passwd = "", group = "", shadow = "", gshadow = ""] = await Promise.all(accountFiles.map(read));
  return { passwd, group, shadow, gshadow };
}

/** With the modes and the owner that it has; on the disk before it counts. */
async function replaceFile(path: string, content: string): Promise<void> {
  const { mode, uid, gid } = await stat(path);
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.chown(uid, gid);
    await file.chmod(mode & 0o7777);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** Paths in the upper folder, folders themselves left out. A character device 0:0 stands for what was removed. */
async function ownPaths(upper: string): Promise<readonly OwnPath[]> {
  const entries = await readdir(upper, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  return entries
    .filter((entry) => !entry.isDirectory())
    .slice(0, mostPaths)
    .map((entry): OwnPath => {
      const path = join(entry.parentPath, entry.name).slice(upper.length + 1);
      const kind = entry.isSymbolicLink() ? "link" : entry.isCharacterDevice() ? "removed" : "file";
      return { path, kind };
    })
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function lowerHashes(
  { inLower }: EtcPlaces,
  own: readonly OwnPath[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (let i = 0; i < own.length; i += 500) {
    const paths = own.slice(i, i + 500).map(({ path }) => `./${path}`);
    for (const line of (await inLower(["sha256sum", "-z", "--", ...paths])).split("\0")) {
      const match = /^([0-9a-f]{64}) [ *]\.\/(.+)$/s.exec(line);
      if (match !== null) found.set(match[2] ?? "", match[1] ?? "");
    }
  }
  return found;
}

async function knownHashes(path: string): Promise<LowerHashes> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return {};
  }
}

const provisionState = z.object({
  applied: z.array(
    z.object({ what: z.string(), made: z._default(z.array(z.object({ path: z.string() })), []) }),
  ),
});

/** Paths below /etc that first-boot configuration has written, each with what it was told. */
async function renderedPaths(path: string): Promise<ReadonlyMap<string, string>> {
  try {
    const { applied } = provisionState.parse(JSON.parse(await readFile(path, "utf8")));
    const all = applied.flatMap(({ what, made }) => made.map((file) => [file.path, what] as const));
    return new Map(
      all.flatMap(([file, what]) => (file.startsWith("/etc/") ? [[file.slice("/etc/".length), what]] : [])),
    );
  } catch {
    return new Map();
  }
}

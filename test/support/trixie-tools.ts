// Programs of Debian trixie on whatever Debian this is: downloaded with apt under sources and lists of their own,
// unpacked beside the system, and kept for the next time.
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const SOURCE = "http://deb.debian.org/debian";
const TIMEOUT_MS = 120_000;

/** A directory into which packages are unpacked, or why there is none. */
export type Tools = { readonly root: string } | { readonly unavailable: string };

/** Unpacks packages of trixie, without what they depend on. Cached; never throws for want of a network. */
export async function trixieTools(packages: readonly string[]): Promise<Tools> {
  const names = packages.toSorted();
  const hash = createHash("sha256")
    .update(`trixie ${names.join(" ")}`)
    .digest("hex")
    .slice(0, 16);
  const cache = cacheDirectory();
  const root = join(cache, hash);
  if (existsSync(root)) return { root };
  if (!existsSync("/usr/bin/apt-get") || !existsSync("/usr/bin/dpkg-deb")) {
    return { unavailable: `apt-get and dpkg-deb are needed to fetch ${names.join(", ")} of Debian trixie` };
  }
  const work = await mkdtemp(join(tmpdir(), "keelson-trixie-"));
  try {
    const unpacked = join(work, "root");
    for (const file of await download(names, work)) await run("dpkg-deb", ["-x", file, unpacked]);
    await mkdir(cache, { recursive: true });
    const finished = join(cache, `.${hash}.${randomUUID()}`);
    await run("cp", ["-a", unpacked, finished]);
    // Whoever comes first wins; the other's copy goes.
    await rename(finished, root).catch(() => rm(finished, { recursive: true, force: true }));
    return { root };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { unavailable: `could not fetch ${names.join(", ")} of Debian trixie: ${reason}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(names: readonly string[], work: string): Promise<readonly string[]> {
  const sources = join(work, "sources.list");
  const debs = join(work, "debs");
  await Promise.all(
    ["lists/partial", "cache/partial", "debs"].map((dir) => mkdir(join(work, dir), { recursive: true })),
  );
  await writeFile(sources, `deb ${SOURCE} trixie main\n`);
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${join(work, "lists")}`,
    `Dir::Cache=${join(work, "cache")}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::Retries=1",
    "Acquire::http::Timeout=20",
  ].flatMap((option) => ["-o", option]);
  await run("apt-get", [...options, "-q", "update"], { timeout: TIMEOUT_MS });
  await run("apt-get", [...options, "-q", "download", ...names], { cwd: debs, timeout: TIMEOUT_MS });
  const files = (await readdir(debs)).filter((name) => name.endsWith(".deb"));
  if (files.length < names.length) throw new Error("apt-get did not download every package");
  return files.map((name) => join(debs, name));
}

function cacheDirectory(): string {
  try {
    accessSync("/var/cache", constants.W_OK);
    return "/var/cache/keelson/tools";
  } catch {
    return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "keelson", "tools");
  }
}

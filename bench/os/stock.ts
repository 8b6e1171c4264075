// The peer: Debian's stock server of the same release, the standard system with Debian's kernel, OpenSSH and Docker,
// on ext4. Nothing is tuned; only what a boot without an installer needs is added. Made without loop devices.
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { globSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { asStep } from "../../packages/keelson/src/local/progress.ts";
import type { Progress } from "../../packages/keelson/src/local/progress.ts";
import { runTool } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { ContentCache } from "../../packages/keelson/src/local/tree/content-cache.ts";
import { debianKeyring, hostProxy } from "../../packages/keelson/src/local/tree/debian-tree.ts";
import { hashPaths } from "../../packages/keelson/src/local/tree/file-hash.ts";
import { defaultCacheDirectory, defaultMirror } from "../../packages/keelson/src/local/tree/machine-tree.ts";

const packages = [
  "linux-image-amd64",
  "systemd-sysv",
  "openssh-server",
  "docker.io",
  "containerd",
  "ca-certificates",
  "locales",
  "ifupdown",
  "systemd-timesyncd",
];
const archives = ["trixie", "trixie-updates", "trixie-security"];
const diskBytes = 3 * 2 ** 30;

export interface Bootable {
  /** The raw disk, to be booted with -snapshot. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  /** What is downloaded to install it. */
  readonly downloadBytes: () => Promise<number>;
}

/** The stock server as it is booted, and the archive of its files. */
export interface StockServer extends Bootable {
  readonly archive: string;
}

/** The stock server's disk, kernel and initrd, from the cache or made now: some minutes. Needs root. */
export async function stockServer(tools: string, progress: Progress): Promise<StockServer> {
  const cache = new ContentCache(defaultCacheDirectory);
  const trees = hashPaths("/", [], ["stock 1", ...packages, ...archives]);
  const tree = await cache.entry("stock-trees", trees, (folder) =>
    asStep(progress, "install the stock server", (step) => install(folder, (line) => step.update(line))),
  );
  const disks = hashPaths(import.meta.dirname, ["stock.ts"], [trees]);
  const folder = await cache.entry("stock-disks", disks, (target) =>
    asStep(progress, "make the stock server’s disk", () => makeDisk(tools, join(tree, "root.tar"), target)),
  );
  return {
    archive: join(tree, "root.tar"),
    disk: join(folder, "disk.raw"),
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd"),
    commandLine: "root=/dev/vda ro console=ttyS0,115200 quiet net.ifnames=0",
    downloadBytes: async () => (await stat(join(folder, "download.zst"))).size,
  };
}

async function install(folder: string, show: (line: string) => void): Promise<void> {
  const sources = archives.map((suite) => {
    const path = suite.endsWith("-security") ? "debian-security" : "debian";
    return `deb ${defaultMirror}/${path} ${suite} main`;
  });
  const proxy = (await hostProxy()).map((option) => `--aptopt=${option}`);
  await runCommand(
    [
      "mmdebstrap",
      "--mode=root",
      "--variant=standard",
      "--format=tar",
      "--architectures=amd64",
      `--keyring=${debianKeyring}`,
      '--aptopt=Acquire::Retries "5"',
      ...proxy,
      "--dpkgopt=force-unsafe-io",
      `--include=${packages.join(",")}`,
      "trixie",
      join(folder, "root.tar"),
      ...sources,
    ],
    { onLine: (line) => (line.startsWith("I: ") ? show(line.slice(3)) : undefined) },
  );
}

async function makeDisk(tools: string, tar: string, target: string): Promise<void> {
  const root = join(target, "root");
  await mkdir(root);
  await runCommand(["tar", "--extract", "--numeric-owner", "--file", tar, "--directory", root]);
  const put = (path: string, text: string): Promise<void> => writeFile(join(root, path), text);
  await put("etc/fstab", "/dev/vda / ext4 errors=remount-ro 0 1\n");
  await put("etc/hostname", "stock\n");
  await put("etc/hosts", "127.0.0.1 localhost stock\n");
  await put("etc/network/interfaces", "auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n");
  await put("etc/machine-id", "");
  const only = (pattern: string): string => {
    const [found] = globSync(pattern, { cwd: join(root, "boot") });
    if (found === undefined) throw new Error(`the stock server has no /boot/${pattern}`);
    return join(root, "boot", found);
  };
  await runCommand(["cp", only("vmlinuz-*"), join(target, "vmlinuz")]);
  await runCommand(["cp", only("initrd.img-*"), join(target, "initrd")]);
  const disk = join(target, "disk.new");
  await runCommand(["truncate", `--size=${diskBytes}`, disk]);
  await runTool(tools, ["mkfs.ext4", "-q", "-F", "-d", root, disk], { binds: [target] });
  await rename(disk, join(target, "disk.raw"));
  await rm(root, { recursive: true });
  // What it would be as a download. The strongest level takes ten minutes for some per cent.
  await runTool(tools, ["zstd", "-q", "-T0", "-9", tar, "-o", join(target, "download.zst")], {
    binds: [tar, target],
  });
}

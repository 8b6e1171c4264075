// The programs that make and boot images, in a Debian tree of their own: the host needs none of them, and every
// host uses the same versions.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, tryCommand } from "../command.ts";
import type { CommandOptions, CommandResult } from "../command.ts";
import { silentProgress } from "../progress.ts";
import type { Progress } from "../progress.ts";
import { ContentCache } from "./content-cache.ts";
import { debianArchitecture, debianTree } from "./debian-tree.ts";
import { defaultCacheDirectory, defaultMirror } from "./machine-tree.ts";
import { parseArchives, parseExcludes, parseList } from "./recipe.ts";

export const toolsKind = "tool-trees";

export interface ToolsTreeOptions {
  /** The root of the checkout: os/image/tools.txt is read there. */
  readonly repository: string;
  readonly cacheDirectory?: string;
  readonly mirror?: string;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** Folders of the host that a tool sees, each under the path that it has on the host. */
export interface ToolOptions extends CommandOptions {
  readonly binds?: readonly string[];
}

/** The folder of the tree, made when it is not cached. Throws KEEL-302 when that fails. */
export async function toolsTree(options: ToolsTreeOptions): Promise<string> {
  const folder = join(options.repository, "os");
  const exclude = parseExcludes(await readFile(join(folder, "exclude.txt"), "utf8"));
  const entry = await debianTree({
    recipe: {
      archives: parseArchives(await readFile(join(folder, "suite.txt"), "utf8")),
      packages: parseList(await readFile(join(folder, "image/tools.txt"), "utf8")),
      // mtools needs the character sets of DOS.
      dpkgOptions: exclude.filter((option) => !option.includes("gconv")),
      remove: [],
    },
    cache: new ContentCache(options.cacheDirectory ?? defaultCacheDirectory),
    mirror: options.mirror ?? defaultMirror,
    architecture: debianArchitecture(process.arch),
    progress: options.progress ?? silentProgress,
    kind: toolsKind,
    title: "build the tree of image tools",
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return join(entry, "root");
}

// $1 the tree, then folders to bind, `--`, and the program. It runs in place of the shell, in a mount namespace of
// its own: what it leaves outside of the bound folders goes to memory and is gone with it.
const enter = `set -e
tree=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$tree/mnt"
mkdir "$tree/mnt/upper" "$tree/mnt/work" "$tree/mnt/root"
root=$tree/mnt/root
mount -t overlay -o "lowerdir=$tree,upperdir=$tree/mnt/upper,workdir=$tree/mnt/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$root\${1%/*}"; : >> "$root$1"; fi
  mount --rbind "$1" "$root$1"; shift
done
shift
exec chroot "$root" "$@"`;

/**
 * The argv that runs a program of the tree. `binds` are absolute paths of the host that it sees; the network is
 * the host's; the process that is started becomes the program, so its pid is the one to kill. Needs root.
 */
export function toolCommand(tree: string, argv: readonly string[], binds: readonly string[] = []): string[] {
  return [
    ..."unshare --mount --propagation private -- sh -c".split(" "),
    enter,
    "sh",
    tree,
    ...binds,
    "--",
    "/usr/bin/env",
    "PATH=/usr/sbin:/usr/bin:/usr/lib/systemd",
    "LC_ALL=C.UTF-8",
    ...argv,
  ];
}

/** Runs a program of the tree to its end and returns its stdout. Throws a CommandError when it fails. */
export function runTool(tree: string, argv: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { binds, ...rest } = options;
  return runCommand(toolCommand(tree, argv, binds), rest);
}

/** The same, whatever its exit code. */
export function tryTool(
  tree: string,
  argv: readonly string[],
  options: ToolOptions = {},
): Promise<CommandResult> {
  const { binds, ...rest } = options;
  return tryCommand(toolCommand(tree, argv, binds), rest);
}

/**
 * The argv of QEMU's system emulator for this architecture, to be followed by its arguments. `binds` are the
 * folders of disks, firmware variables, sockets and logs. Firmware: /usr/share/OVMF/OVMF_CODE_4M.fd in the tree.
 */
export function qemuCommand(tree: string, binds: readonly string[]): string[] {
  return toolCommand(tree, ["qemu-system-x86_64"], binds);
}

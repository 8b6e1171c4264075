// What `systemd-analyze security`, the image's own, says of services as the image has them, without starting it: over
// the Debian part that a build has made lie the unit files of this checkout.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runCommand } from "../../../packages/keelson/src/local/command.ts";

const repository = resolve(import.meta.dirname, "../../..");

// $1 lower folders, $2 where to mount them, then the program to run there.
const inside = `mount -t overlay -o "lowerdir=$1" overlay "$2"
for name in run tmp var; do mount -t tmpfs none "$2/$name"; done
mount -t proc none "$2/proc"
mkdir "$2/var/tmp"
root=$2
shift 2
exec chroot "$root" "$@"`;

/** The figure of each service; instances of templates are named like `modprobe@x.service`. `base` is a build's. */
export async function exposuresIn(
  base: string,
  units: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-exposure-"));
  const layers = [join(repository, "os/image/root"), join(repository, "os/root"), base];
  const analyze = ["systemd-analyze", "security", "--offline=yes", "--no-pager", ...units];
  try {
    const output = await runCommand([
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "--",
      "sh",
      "-ec",
      inside,
      "sh",
      layers.join(":"),
      folder,
      ...analyze,
    ]);
    const lines = output.matchAll(/exposure level for (\S+): (\d+(?:\.\d+)?)/g);
    return new Map(Array.from(lines, ([, unit = "", figure]) => [unit, Number(figure)] as const));
  } finally {
    await rm(folder, { recursive: true });
  }
}

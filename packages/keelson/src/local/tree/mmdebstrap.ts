// The command that installs a recipe's packages, and how far it is: text in, data out.
import { formatBytes } from "../progress.ts";
import type { Recipe } from "./recipe.ts";

export interface InstallOptions {
  readonly target: string;
  /** Debian's name of the architecture: amd64, arm64. */
  readonly architecture: string;
  /** http://deb.debian.org, without a path. */
  readonly mirror: string;
  readonly keyring: string;
  /** Options for apt from the host: its proxy. */
  readonly aptOptions?: readonly string[];
}

/**
 * The argv that installs the recipe into an empty folder. It runs in a PID namespace of its own that dies
 * with the caller, so that nothing goes on building when the command is killed.
 */
export function installCommand(recipe: Recipe, options: InstallOptions): string[] {
  return command(recipe, options, ["--variant=essential"]);
}

/**
 * The argv that only unpacks the recipe's packages and what they depend on, running none of their scripts;
 * `packages.txt` in the folder then names them, with version, architecture and size.
 */
export function unpackCommand(recipe: Recipe, options: InstallOptions): string[] {
  const list = [
    'for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb --show --showformat=',
    "'${Package} ${Version} ${Architecture} ${Installed-Size}\\n'",
    ' "$deb"; done > "$1/packages.txt"',
  ].join("");
  return command(recipe, options, ["--variant=extract", `--extract-hook=${list}`]);
}

function command(recipe: Recipe, options: InstallOptions, variant: readonly string[]): string[] {
  const apt = [
    'APT::Install-Recommends "false"',
    'Acquire::Retries "5"',
    'Acquire::http::Timeout "30"',
    ...(options.aptOptions ?? []),
  ];
  const first = recipe.archives[0];
  if (first === undefined) throw new TypeError("a recipe needs an archive");
  return [
    ..."setpriv --pdeathsig KILL".split(" "),
    ..."unshare --mount --pid --fork --kill-child=KILL --mount-proc".split(" "),
    ..."mmdebstrap --verbose --mode=root --format=directory".split(" "),
    ...variant,
    `--architectures=${options.architecture}`,
    `--keyring=${options.keyring}`,
    ...apt.map((option) => `--aptopt=${option}`),
    ...recipe.dpkgOptions.map((option) => `--dpkgopt=${option}`),
    "--dpkgopt=force-unsafe-io",
    `--include=${recipe.packages.join(",")}`,
    first.suite,
    options.target,
    ...recipe.archives.map(
      ({ suite, path, component }) => `deb ${options.mirror}/${path} ${suite} ${component}`,
    ),
  ];
}

/** Follows mmdebstrap's verbose output: feed it lines, it says where the build is. */
export class InstallProgress {
  #total = 0;
  #fetched = 0;
  #packages = 0;
  #unpacked = 0;
  #configured = 0;

  /** What to show after this line; undefined when nothing changed. */
  line(line: string): string | undefined {
    const need = /^Need to get (?:[\d.,]+ ?[kMG]?B\/)?([\d.,]+) ?([kMG]?B) of archives/.exec(line);
    const get = /^Get:\d+ .* \[([\d.,]+) ?([kMG]?B)\]$/.exec(line);
    if (need) this.#total += bytes(need[1], need[2]);
    else if (get) this.#fetched += bytes(get[1], get[2]);
    else if (/ newly installed, /.test(line))
      this.#packages += Number(/(\d+) newly installed/.exec(line)?.[1] ?? 0);
    else if (line.startsWith("Unpacking ")) this.#unpacked++;
    else if (line.startsWith("Setting up ")) this.#configured++;
    else return undefined;
    if (this.#configured > 0)
      return `setting up ${this.#configured} of ${this.#packages} packages, ${this.#bytes()}`;
    if (this.#unpacked > 0) return `unpacking ${this.#unpacked} packages, ${this.#bytes()}`;
    return this.#total === 0 ? `package lists, ${this.#bytes()}` : `downloading, ${this.#bytes()}`;
  }

  #bytes(): string {
    return `${formatBytes(this.#fetched)} fetched`;
  }
}

function bytes(amount = "0", unit = "B"): number {
  const factor = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit] ?? 1;
  return Math.round(Number(amount.replaceAll(",", "")) * factor);
}

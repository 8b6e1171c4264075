// What the suites need from Debian is installed when that is possible, and named when it is not.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

function missing(names: readonly string[]): string[] {
  const answer = spawnSync("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n", ...names], {
    encoding: "utf8",
  });
  const installed = new Set(
    (answer.stdout ?? "")
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/**
 * Installs missing packages when root on Debian or Ubuntu; otherwise prints the line that does it. Suites skip,
 * with a message, what still lacks its package.
 */
export async function ensureDebianPackages(names: readonly string[]): Promise<void> {
  if (names.length === 0 || !existsSync("/usr/bin/dpkg-query")) return;
  const wanted = missing([...new Set(names)]);
  if (wanted.length === 0) return;
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...wanted];
  if (process.getuid?.() !== 0) {
    console.error(`Some suites will be skipped. To run them all: sudo ${install.join(" ")}`);
    return;
  }
  console.error(`Installing ${wanted.join(" ")} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const argv of [["apt-get", "update", "-q"], install]) {
    const { status } = spawnSync(argv[0] ?? "", argv.slice(1), {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    });
    if (status !== 0)
      console.error(`error: ${argv.join(" ")} failed\nhint: check the network, then run it by hand`);
  }
}

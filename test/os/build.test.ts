// The image as it is built: what it holds and weighs, that it can be built again to the same bytes, and what it says
// about itself.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import { baseOf } from "../../packages/keelson/src/image/build-image.ts";
import type { BuildOptions, BuiltImage } from "../../packages/keelson/src/image/build-image.ts";
import { overBudget, readBudget } from "../../packages/keelson/src/image/budget.ts";
import { checkReproducible } from "../../packages/keelson/src/image/check-reproducible.ts";
import { compareBuilds } from "../../packages/keelson/src/image/compare-builds.ts";
import { overExposed, parseExposureLimits } from "../../packages/keelson/src/image/exposure.ts";
import { inspectRoot } from "../../packages/keelson/src/image/inspect-root.ts";
import { writeRelease } from "../../packages/keelson/src/image/release-files.ts";
import type { ReleaseFolder } from "../../packages/keelson/src/image/release-files.ts";
import { componentsOf, parseSbom } from "../../packages/keelson/src/image/sbom.ts";
import { silentProgress } from "../../packages/keelson/src/local/progress.ts";
import { releaseManifest } from "../../packages/keelson/src/releases/manifest.ts";
import { exposuresIn } from "./support/exposures.ts";
import { testImage } from "./support/image.ts";

const repository = resolve(import.meta.dirname, "../..");
const build: BuildOptions = { repository, variant: "vm", version: "0.1.0", progress: silentProgress };

suite("the built image", () => {
  let image: BuiltImage;
  let folder: string;
  let release: ReleaseFolder;

  before(async () => {
    image = await testImage();
    folder = await mkdtemp(join(tmpdir(), "keelson-build-"));
    release = await writeRelease({
      repository,
      image,
      output: folder,
      // A release’s takes six minutes, and is three quarters of it.
      compression: "quick",
      withDisk: false,
      progress: silentProgress,
    });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("is built again to the same bytes", () => checkReproducible(build, image));

  test("keeps its budget", async () => {
    const facts = await inspectRoot((await baseOf(build)).root);
    const { root, kernel } = release.manifest;
    const packages = (await readFile(image.packageList, "utf8")).trim().split("\n").length;
    assert.deepEqual(
      overBudget(await readBudget(repository), {
        quickDownloadBytes: root.size + kernel.size,
        rootBytes: image.root.bytes,
        kernelBytes: kernel.size,
        packages,
        kernelModules: facts.kernelModules,
        setuidFiles: facts.setuid.length,
      }),
      [],
    );
  });

  test("has no package manager, no compiler, no interpreter but the shell and Node, and no script that needs one", async () => {
    const { interpreters, orphans, setuid } = await inspectRoot((await baseOf(build)).root);
    assert.deepEqual({ interpreters, orphans, setuid }, { interpreters: [], orphans: [], setuid: [] });
  });

  test("no service can do more than what is written down for it", async () => {
    const limits = parseExposureLimits(await readFile(join(repository, "os/exposure.json"), "utf8"));
    const exposures = await exposuresIn((await baseOf(build)).root, Object.keys(limits));
    assert.deepEqual([...exposures.keys()].toSorted(), Object.keys(limits).toSorted());
    assert.deepEqual(overExposed(limits, exposures), []);
  });

  test("names its parts, Debian's, Node and those of the program", async () => {
    const [name] = [release.manifest.sbom?.name ?? ""];
    const components = componentsOf(parseSbom(await readFile(join(folder, name), "utf8")));
    const names = new Set(components.map((component) => component.name));
    for (const part of ["systemd", "podman", "node", "zod"]) assert.equal(names.has(part), true, part);
    assert.equal(
      [...names].some((part) => part.startsWith("linux-image-")),
      true,
    );
  });

  test("has a manifest that machines can read", async () => {
    const manifest = JSON.parse(await readFile(release.manifestFile, "utf8")) as unknown;
    assert.deepEqual(releaseManifest.parse(manifest), release.manifest);
  });

  test("differs from itself in nothing", async () => {
    const sbom = parseSbom(await readFile(join(folder, release.manifest.sbom?.name ?? ""), "utf8"));
    const { root, kernel, version } = release.manifest;
    const sizes = { download: root.size + kernel.size, root: image.root.bytes, kernel: kernel.size };
    const facts = { version, components: componentsOf(sbom), sizes };
    const { added, removed, changed } = compareBuilds(facts, facts);
    assert.deepEqual({ added, removed, changed }, { added: [], removed: [], changed: [] });
  });
});

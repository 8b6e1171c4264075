import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { installCommand, InstallProgress } from "../../../src/local/tree/mmdebstrap.ts";
import {
  parseArchives,
  parseExcludes,
  parseList,
  readRecipe,
  recipeHash,
} from "../../../src/local/tree/recipe.ts";

const os = resolve(import.meta.dirname, "../../../../../os");

describe("the recipe of the tree", () => {
  test("is read from os/", async () => {
    const recipe = await readRecipe(os, ["strace", "podman"]);
    for (const name of ["systemd", "podman", "openssh-server", "strace"])
      assert.ok(recipe.packages.includes(name), name);
    assert.equal(recipe.packages.filter((name) => name === "podman").length, 1);
    assert.deepEqual(recipe.archives[0], { suite: "trixie", path: "debian", component: "main" });
    assert.ok(recipe.dpkgOptions.includes("path-include=/usr/share/doc/*/copyright"));
    assert.ok(recipe.remove.includes("etc/ssh/ssh_host_*"));
  });

  test("ignores remarks and empty lines, and refuses half an archive", () => {
    assert.deepEqual(parseList("# head\n\npodman  # why\n  crun\nc#\n"), ["podman", "crun", "c#"]);
    assert.deepEqual(parseExcludes("/a/*\n+/a/b # kept\n"), ["path-exclude=/a/*", "path-include=/a/b"]);
    assert.throws(() => parseArchives("trixie debian\n"), TypeError);
  });

  test("has a hash that changes with all that matters and not with remarks", async () => {
    const recipe = await readRecipe(os);
    const hash = recipeHash(recipe, "amd64", 1);
    assert.match(hash, /^[0-9a-f]{16}$/);
    assert.equal(recipeHash({ ...recipe }, "amd64", 1), hash);
    const others = [
      recipeHash(recipe, "arm64", 1),
      recipeHash(recipe, "amd64", 2),
      recipeHash({ ...recipe, packages: [...recipe.packages, "strace"] }, "amd64", 1),
      recipeHash({ ...recipe, remove: [] }, "amd64", 1),
      recipeHash({ ...recipe, dpkgOptions: [] }, "amd64", 1),
    ];
    assert.equal(new Set([hash, ...others]).size, 6);
  });

  test("becomes a command that dies with its caller", async () => {
    const recipe = await readRecipe(os);
    const options = {
      target: "/t",
      architecture: "arm64",
      mirror: "http://mirror",
      keyring: "/k",
      aptOptions: ['X "y"'],
    };
    const argv = installCommand(recipe, options);
    assert.deepEqual(argv.slice(0, 3), ["setpriv", "--pdeathsig", "KILL"]);
    assert.ok(argv.includes("--kill-child=KILL"));
    assert.ok(argv.includes("--architectures=arm64"));
    assert.ok(argv.includes('--aptopt=X "y"'));
    assert.deepEqual(argv.slice(argv.indexOf("trixie"), argv.indexOf("trixie") + 3), [
      "trixie",
      "/t",
      "deb http://mirror/debian trixie main",
    ]);
  });
});

test("progress follows mmdebstrap’s words", () => {
  const progress = new InstallProgress();
  const said = [
    "I: running apt-get update...",
    "Get:4 http://deb.debian.org/debian trixie/main amd64 Packages [9678 kB]",
    "0 upgraded, 59 newly installed, 0 to remove and 0 not upgraded.",
    "Need to get 25.4 MB of archives.",
    "Get:5 http://deb.debian.org/debian trixie/main amd64 systemd amd64 257.13 [3,000 kB]",
    "Unpacking systemd (257.13) ...",
    "Setting up systemd (257.13) ...",
  ].map((line) => progress.line(line));
  assert.deepEqual(said, [
    undefined,
    "package lists, 9.7 MB fetched",
    "package lists, 9.7 MB fetched",
    "downloading, 9.7 MB fetched",
    "downloading, 12.7 MB fetched",
    "unpacking 1 packages, 12.7 MB fetched",
    "setting up 1 of 59 packages, 12.7 MB fetched",
  ]);
});

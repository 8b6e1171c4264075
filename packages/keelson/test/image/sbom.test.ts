import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { compareBuilds, differenceText } from "../../src/image/compare-builds.ts";
import type { BuildFacts } from "../../src/image/compare-builds.ts";
import { componentsOf, makeSbom, parsePackageList, parseSbom } from "../../src/image/sbom.ts";
import type { Component } from "../../src/image/sbom.ts";

const release = { version: "1.2.3", variant: "vm", architecture: "amd64" } as const;

const component = fc.record(
  {
    name: fc.stringMatching(/^[a-z][a-z0-9+.-]{1,20}$/),
    version: fc.stringMatching(/^[0-9][0-9A-Za-z.:~+-]{0,20}$/),
    kind: fc.constant("deb" as const),
    bytes: fc.nat(),
  },
  { noNullPrototype: true },
);

suite("list of parts", () => {
  test("is valid SPDX, whatever dpkg names, and reads back as it was", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(component, { selector: ({ name }) => name, maxLength: 20 }),
        (components) => {
          const document = parseSbom(
            JSON.stringify(makeSbom({ release, components, created: 1_700_000_000 })),
          );
          const sorted = components.toSorted((a, b) => (a.name < b.name ? -1 : 1));
          assert.deepEqual(componentsOf(document), sorted);
        },
      ),
    );
  });

  test("the order of what goes in does not matter", () => {
    const components = parsePackageList("zlib1g 1:1.3 amd64 160\nbash 5.2 amd64 7000\n");
    const make = (list: readonly Component[]): string =>
      JSON.stringify(makeSbom({ release, components: list, created: 0 }));
    assert.equal(make(components), make(components.toReversed()));
  });

  test("garbage is refused", () => {
    for (const text of ["", "{}", "[]", '{"spdxVersion":"SPDX-2.3"}']) assert.throws(() => parseSbom(text));
  });
});

suite("what changed between builds", () => {
  const sizes = { download: 90_000_000, root: 300_000_000, kernel: 12_000_000 };
  const deb = (name: string, version: string): Component => ({ name, version, kind: "deb" });
  const old: BuildFacts = {
    version: "1.0.0",
    components: [deb("bash", "5.2"), deb("linux-image-6.12.1-cloud-amd64", "6.12.1-1"), deb("less", "668")],
    sizes,
  };

  test("a kernel under another name is a change, not two packages", () => {
    const next: BuildFacts = {
      version: "1.0.1",
      components: [deb("bash", "5.3"), deb("linux-image-6.12.2-cloud-amd64", "6.12.2-1"), deb("zstd", "1.5")],
      sizes: { ...sizes, download: 91_000_000 },
    };
    assert.equal(
      differenceText(compareBuilds(old, next)),
      [
        "From 1.0.0 to 1.0.1:",
        "  The kernel goes from 6.12.1-1 to 6.12.2-1.",
        "  1 part changed:",
        "    bash 5.2 → 5.3",
        "  1 part came: zstd 1.5.",
        "  1 part went: less 668.",
        "  The download grows by 1.0 MB to 91.0 MB.",
        "  The root file system stays at 300 MB.",
        "  The kernel image stays at 12.0 MB.",
        "",
      ].join("\n"),
    );
  });

  test("says so when nothing did", () => {
    assert.match(differenceText(compareBuilds(old, old)), /The same packages in the same versions\./);
  });
});

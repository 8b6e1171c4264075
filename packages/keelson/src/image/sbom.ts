// What is in an image, as SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3/): every Debian package, Node, and
// the npm packages of the bundle, with versions. The same inputs make the same bytes.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import type { ReleaseName } from "../model/os-image.ts";
import { releaseFileName } from "../model/os-image.ts";
import { uuidOf } from "./root-image.ts";

export interface Component {
  readonly name: string;
  readonly version: string;
  readonly kind: "deb" | "npm" | "node";
  /** Bytes once installed, where that is known. */
  readonly bytes?: number;
}

const spdxPackage = z.object({
  SPDXID: z.string().check(z.regex(/^SPDXRef-[A-Za-z0-9.-]+$/)),
  name: z.string().check(z.minLength(1), z.maxLength(200)),
  versionInfo: z.string().check(z.minLength(1), z.maxLength(200)),
  downloadLocation: z.string().check(z.maxLength(500)),
  filesAnalyzed: z.literal(false),
  licenseConcluded: z.string().check(z.maxLength(200)),
  licenseDeclared: z.string().check(z.maxLength(200)),
  copyrightText: z.string().check(z.maxLength(200)),
  comment: z.optional(z.string().check(z.maxLength(200))),
  externalRefs: z.array(
    z.object({
      referenceCategory: z.literal("PACKAGE-MANAGER"),
      referenceType: z.literal("purl"),
      referenceLocator: z.string().check(z.maxLength(500)),
    }),
  ),
});

/** The part of SPDX that Keelson writes, and all that it reads. */
export const spdxDocument = z.object({
  spdxVersion: z.literal("SPDX-2.3"),
  dataLicense: z.literal("CC0-1.0"),
  SPDXID: z.literal("SPDXRef-DOCUMENT"),
  name: z.string().check(z.maxLength(200)),
  documentNamespace: z.string().check(z.maxLength(500)),
  creationInfo: z.object({
    created: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)),
    creators: z.array(z.string()).check(z.minLength(1)),
  }),
  packages: z.array(spdxPackage).check(z.maxLength(5000)),
  relationships: z.array(
    z.object({
      spdxElementId: z.string(),
      relationshipType: z.enum(["DESCRIBES", "CONTAINS"]),
      relatedSpdxElement: z.string(),
    }),
  ),
});

export type SpdxDocument = z.infer<typeof spdxDocument>;

/** Lines of name, version, architecture and installed size in KiB, as dpkg-query wrote them. */
export function parsePackageList(text: string): Component[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", version = "", , size = "0"] = line.split(" ");
      return { name, version, kind: "deb", bytes: Number(size) * 1024 };
    });
}

/** Node, and the packages that keeld and keel are bundled with, from the lockfile. */
export async function programComponents(repository: string): Promise<Component[]> {
  const lock = JSON.parse(await readFile(join(repository, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockEntry>>;
  };
  const components: Component[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    const name = path.replace(/^.*node_modules\//, "");
    if (entry.version === undefined || entry.link === true || path === name) continue;
    if (name === `node-linux-${process.arch}`) {
      components.push({ name: "node", version: entry.version, kind: "node" });
    } else if (entry.dev !== true && entry.optional !== true) {
      components.push({ name, version: entry.version, kind: "npm" });
    }
  }
  return components;
}

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
}

export interface SbomFacts {
  readonly release: ReleaseName;
  readonly components: readonly Component[];
  /** Seconds since 1970. */
  readonly created: number;
}

/** The document, its packages sorted by kind and name. */
export function makeSbom({ release, components, created }: SbomFacts): SpdxDocument {
  const { version, variant, architecture } = release;
  const sorted = components.toSorted(
    (a, b) => compare(a.kind, b.kind) || compare(a.name, b.name) || compare(a.version, b.version),
  );
  const described = sorted.map((component) => spdxOf(component, architecture));
  const system = {
    ...spdxOf({ name: "keelson-os", version, kind: "node" }, architecture),
    SPDXID: "SPDXRef-keelson-os",
    externalRefs: [],
  };
  const name = `keelson-os ${version} ${variant} ${architecture}`;
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    documentNamespace: `https://github.com/keelson/keelson/spdx/${uuidOf(JSON.stringify([name, sorted]))}`,
    creationInfo: {
      created: new Date(created * 1000).toISOString().replace(".000Z", "Z"),
      creators: ["Tool: keel-os-build"],
    },
    packages: [system, ...described],
    relationships: [
      {
        spdxElementId: "SPDXRef-DOCUMENT",
        relationshipType: "DESCRIBES",
        relatedSpdxElement: system.SPDXID,
      },
      ...described.map(({ SPDXID }) => ({
        spdxElementId: system.SPDXID,
        relationshipType: "CONTAINS" as const,
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
}

function spdxOf(
  { name, version, kind, bytes }: Component,
  architecture: string,
): SpdxDocument["packages"][number] {
  const encoded = encodeURIComponent(version);
  const locator = {
    deb: `pkg:deb/debian/${name}@${encoded}?arch=${architecture}`,
    npm: `pkg:npm/${name.replace("@", "%40")}@${encoded}`,
    node: `pkg:generic/${name}@${encoded}`,
  }[kind];
  return {
    SPDXID: `SPDXRef-${kind}-${`${name}-${version}`.replace(/[^A-Za-z0-9.-]/g, "-")}`,
    name,
    versionInfo: version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    copyrightText: "NOASSERTION",
    ...(bytes === undefined ? {} : { comment: `installed size ${bytes} bytes` }),
    externalRefs: [
      { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: locator },
    ],
  };
}

/** The components of a document that `makeSbom` made, the system itself left out. */
export function componentsOf(document: SpdxDocument): Component[] {
  return document.packages
    .filter(({ SPDXID }) => SPDXID !== "SPDXRef-keelson-os")
    .map(({ name, versionInfo, comment, externalRefs }) => {
      const purl = externalRefs[0]?.referenceLocator ?? "";
      const kind = purl.startsWith("pkg:deb/") ? "deb" : purl.startsWith("pkg:npm/") ? "npm" : "node";
      const bytes = /^installed size (\d{1,15}) bytes$/.exec(comment ?? "")?.[1];
      return { name, version: versionInfo, kind, ...(bytes === undefined ? {} : { bytes: Number(bytes) }) };
    });
}

/** The document in a release's sbom.json. */
export function parseSbom(text: string): SpdxDocument {
  return z.parse(spdxDocument, JSON.parse(text));
}

/** `keelson_1.0.0_vm_amd64.sbom.json` */
export function sbomFileName(release: ReleaseName): string {
  return releaseFileName(release, "sbom.json");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// The layout is the architecture: who may import whom, and why. A breach fails the build with its reason.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, test } from "node:test";

const root = resolve(import.meta.dirname, "..");

interface Place {
  /** Folder, relative to the repository. */
  readonly folder: string;
  /** Other folders and npm packages that it may import. */
  readonly may: readonly string[];
  readonly because: string;
}

const etcd = "packages/etcd/src";
const keelson = "packages/keelson/src";
const of = (...names: string[]): string[] => names.map((name) => `${keelson}/${name}`);
const pure = of("base", "model");

// The longest folder that holds a file decides. `node:` modules are free, but see `noInputOutput`.
const places: readonly Place[] = [
  {
    folder: `${etcd}/keyspace`,
    may: [`${etcd}/errors.ts`, `${etcd}/proto`],
    because: "the keyspace is pure: it knows messages and errors, no disk and no network",
  },
  {
    folder: `${etcd}/disk`,
    may: [`${etcd}/keyspace`, `${etcd}/errors.ts`, `${etcd}/proto`],
    because: "the log stores what the keyspace decides",
  },
  {
    folder: `${etcd}/bolt`,
    may: [`${etcd}/errors.ts`],
    because: "a file format, pure: it knows pages, not what etcd keeps in them",
  },
  {
    folder: `${etcd}/server/auth`,
    may: [
      `${etcd}/server`,
      `${etcd}/keyspace`,
      `${etcd}/errors.ts`,
      `${etcd}/proto`,
      "@bufbuild/protobuf",
      "bcryptjs",
    ],
    because: "passwords are hashed in one place, and what it needs of the rest of the server is little",
  },
  {
    folder: `${etcd}/server`,
    may: [
      `${etcd}/keyspace`,
      `${etcd}/disk`,
      `${etcd}/bolt`,
      `${etcd}/rest`,
      `${etcd}/errors.ts`,
      `${etcd}/proto`,
      "@bufbuild/protobuf",
    ],
    because: "the server frames HTTP/2 itself and needs no gRPC library",
  },
  {
    folder: `${etcd}/client`,
    may: [`${etcd}/errors.ts`, `${etcd}/proto`, "@grpc/grpc-js", "@bufbuild/protobuf"],
    because: "the client cannot tell which server it talks to, so it knows neither",
  },
  {
    folder: `${etcd}/rest`,
    may: [`${etcd}/client`, `${etcd}/errors.ts`],
    because: "the keys API is written against an interface; the client is one way to answer it",
  },
  {
    folder: `${etcd}/migration`,
    may: [
      `${etcd}/client`,
      `${etcd}/keyspace`,
      `${etcd}/bolt`,
      `${etcd}/errors.ts`,
      `${etcd}/proto`,
      "@bufbuild/protobuf",
    ],
    because: "a store is moved through the protocol, whichever server holds it",
  },
  { folder: `${etcd}/proto`, may: ["@bufbuild/protobuf"], because: "generated messages" },
  {
    folder: `${etcd}/command`,
    may: [`${etcd}/server`, `${etcd}/errors.ts`, "yaml"],
    because: "the command turns flags into the server's options; YAML lives here and in interchange/",
  },
  { folder: etcd, may: [etcd], because: "a library of its own: it knows nothing of the product" },
  {
    folder: "packages/omaha/src",
    may: ["packages/omaha/src"],
    because: "a protocol without I/O: it knows nothing of the product, and reads XML itself",
  },
  {
    folder: "packages/systemd/src/manager",
    may: ["packages/systemd/src", "dbus-native"],
    because: "D-Bus lives only here",
  },
  {
    folder: "packages/systemd/src",
    may: ["packages/systemd/src"],
    because: "a library of its own: it knows nothing of the product",
  },
  {
    folder: "packages/dashboard/src",
    may: ["packages/dashboard/src", "react", "react-dom", "@mantine/core", "@mantine/hooks"],
    because: "the dashboard knows the API and nothing behind it",
  },
  {
    folder: `${keelson}/base`,
    may: ["zod", "packages/keelson/package.json"],
    because: "rank 0: what everything rests on",
  },
  {
    folder: `${keelson}/model`,
    may: [...of("base"), "zod", "@keelson/systemd"],
    because: "rank 1: records and rules; unit files are the model’s own language",
  },
  {
    folder: `${keelson}/scheduler`,
    may: [...pure, "@keelson/systemd"],
    because: "rank 2, pure: a decider sees only its snapshot",
  },
  {
    folder: `${keelson}/batch`,
    may: [...pure, "@keelson/systemd"],
    because: "rank 2, pure: a decider sees only its snapshot",
  },
  {
    folder: `${keelson}/rollout`,
    may: pure,
    because: "rank 2, pure: a decider sees only its snapshot",
  },
  {
    folder: `${keelson}/safeguards`,
    may: [...pure, "@keelson/systemd"],
    because: "rank 2, pure: a decider sees only its snapshot",
  },
  {
    folder: `${keelson}/interchange`,
    may: [...pure, "@keelson/systemd", "yaml"],
    because: "rank 2, pure: Compose files in, plain unit files out",
  },
  {
    folder: `${keelson}/history`,
    may: pure,
    because: "rank 2, pure: what happened is told from one snapshot to the next",
  },
  {
    folder: `${keelson}/update-policy`,
    may: [...pure, "@keelson/omaha"],
    because:
      "rank 2, pure: who may update is decided from what is known; versions and events are the protocol’s",
  },
  {
    folder: `${keelson}/registry`,
    may: [...pure, "@keelson/etcd"],
    because: "rank 2: the only place that talks to the store",
  },
  {
    folder: `${keelson}/host`,
    may: [...pure, "@keelson/systemd"],
    because: "rank 2: the only place that touches systemd, podman and the disk of a machine",
  },
  {
    folder: `${keelson}/authority`,
    may: pure,
    because: "rank 2: the only place that makes keys and certificates, with the openssl program",
  },
  {
    folder: `${keelson}/membership`,
    may: pure,
    because: "rank 2, pure: who is a member of the store is decided from a snapshot",
  },
  {
    folder: `${keelson}/store-cluster`,
    may: [...pure, ...of("registry", "host", "authority", "membership")],
    because: "rank 3: forms, moves and mends the store's own cluster through the adapters",
  },
  {
    folder: `${keelson}/system-orders`,
    may: [...pure, ...of("registry", "host", "updater", "releases", "store-cluster/wakeful.ts")],
    because: "rank 4: a machine's part in updates of the cluster's machines, carried out by its own updater",
  },
  {
    folder: `${keelson}/agent`,
    may: [...pure, ...of("registry", "host"), "@keelson/systemd"],
    because: "rank 3: carries out orders through registry and host",
  },
  {
    folder: `${keelson}/leader`,
    may: [...pure, ...of("registry", "scheduler", "batch", "safeguards", "rollout"), "@keelson/systemd"],
    because: "rank 3: asks the scheduler, writes through the registry",
  },
  {
    folder: `${keelson}/discovery`,
    may: [...pure, ...of("registry"), "@keelson/etcd"],
    because: "rank 3: a service of its own, over whatever store is behind",
  },
  {
    folder: `${keelson}/local`,
    may: [...of("base", "model", "host"), "@keelson/systemd", "rolldown"],
    because:
      "rank 3: local machines know nothing of what runs on them; the bundler makes what they boot with",
  },
  {
    folder: `${keelson}/releases`,
    may: [...pure, "zod"],
    because: "rank 2, pure: what a release is, who may sign it, and what a machine believes",
  },
  {
    folder: `${keelson}/secure-boot`,
    may: pure,
    because: "rank 2, pure: UEFI’s signatures, keys and variables, bytes in and bytes out",
  },
  {
    folder: `${keelson}/provision`,
    may: [...pure, ...of("host"), "@keelson/systemd", "yaml", "zod"],
    because: "rank 3: a machine's first configuration, from wherever its surroundings keep it",
  },
  {
    folder: `${keelson}/updater`,
    may: [...pure, ...of("releases", "host", "secure-boot"), "zod"],
    because: "rank 3: puts releases into slots; works on a machine without any cluster around it",
  },
  {
    folder: `${keelson}/image`,
    may: [...pure, ...of("local", "releases", "secure-boot"), "zod"],
    because: "rank 3: builds the image from the same recipe as the local machines' tree",
  },
  {
    folder: `${keelson}/update-server`,
    may: [...pure, ...of("update-policy"), "@keelson/omaha"],
    because: "rank 3: what machines ask is answered here, whoever decides; it knows no cluster",
  },
  {
    folder: `${keelson}/update-server/log`,
    may: [...pure, "@keelson/etcd"],
    because: "rank 3: of the store it takes the write-ahead log and nothing else",
  },
  {
    folder: `${keelson}/api`,
    may: [
      ...pure,
      ...of("registry", "scheduler", "safeguards", "history", "store-cluster", "leader/deciders.ts"),
      "@keelson/systemd",
      "hono",
      "@hono/node-server",
      "zod",
    ],
    because: "rank 4: HTTP lives only here; what it foretells comes from the leader’s own deciders",
  },
  {
    folder: `${keelson}/backup`,
    may: [...pure, "zod", "@keelson/etcd"],
    because: "rank 3: takes and proves backups of whatever store it is given",
  },
  {
    folder: `${keelson}/cli`,
    may: [
      ...pure,
      ...of("local", "image", "api", "safeguards", "scheduler", "interchange"),
      "commander",
      "@keelson/systemd",
      "zod",
      "examples",
    ],
    because: "rank 5: the command reaches the cluster through the API only; it makes what machines boot",
  },
  {
    folder: `${keelson}/cli/commands/store`,
    may: [...pure, ...of("registry", "backup", "local", "api", "cli"), "commander", "zod", "@keelson/etcd"],
    because: "rank 5: a store can be served, read, checked and restored without any cluster around it",
  },
  {
    folder: `${keelson}/cli/commands/os`,
    may: [
      ...pure,
      ...of("image", "updater", "provision", "releases", "secure-boot", "local", "host", "api", "cli"),
      "commander",
      "zod",
    ],
    because: "rank 5: images are built, and machines updated and configured, without any cluster around them",
  },
  {
    folder: `${keelson}/cli/commands/discovery.ts`,
    may: [...pure, ...of("registry", "discovery", "cli"), "commander", "@keelson/etcd"],
    because: "rank 5: the discovery service runs without any cluster around it",
  },
  {
    folder: `${keelson}/daemons`,
    may: [
      ...of("base", "model", "registry", "host", "authority", "agent", "leader", "api"),
      ...of("store-cluster", "backup", "discovery", "updater", "releases", "provision", "system-orders"),
      ...of("update-server"),
      "@keelson/etcd",
    ],
    because: "rank 5: wiring only",
  },
];

/** Folders that must stay free of I/O and of time and chance of their own. */
const noInputOutput = [
  `${etcd}/keyspace`,
  `${etcd}/bolt`,
  "packages/omaha/src",
  `${keelson}/model`,
  `${keelson}/scheduler`,
  `${keelson}/batch`,
  `${keelson}/rollout`,
  `${keelson}/history`,
  `${keelson}/safeguards`,
  `${keelson}/membership`,
  `${keelson}/releases`,
  `${keelson}/secure-boot`,
  `${keelson}/update-policy`,
];
const impure = [
  /from "node:(fs|net|http2?|https|child_process|dgram|os|timers|worker_threads)/,
  /\bDate\.now\(/,
  /\bMath\.random\(/,
  /\bperformance\.now\(/,
  /\bsetTimeout\(/,
  /\bprocess\.env\b/,
];

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!["node_modules", "dist", "generated"].includes(entry.name)) yield* sources(path);
    } else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), "utf8");
  const statement = /^(?:import|export)\b[^;"']*?\bfrom\s+["']([^"']+)["']/gm;
  const dynamic = /\bimport\(\s*["']([^"']+)["']/g;
  const bare = /^import\s+["']([^"']+)["']/gm;
  return [statement, dynamic, bare].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1] ?? ""),
  );
}

/** What an import reaches: a path in the repository, or the name of a package. */
function target(path: string, specifier: string): string {
  if (specifier.startsWith(".")) return relative(root, resolve(root, dirname(path), specifier));
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

const placeOf = (path: string): Place | undefined =>
  places.filter((place) => inside(path, place.folder)).sort((a, b) => b.folder.length - a.folder.length)[0];

const packages = readdirSync(join(root, "packages"));
const files = packages.flatMap((name) => [...sources(`packages/${name}/src`)]);

describe("architecture", () => {
  test("every file has a place", () => {
    assert.deepEqual(
      files.filter((path) => placeOf(path) === undefined),
      [],
    );
  });

  test("imports go down the ranks only, and packages stay in their folders", () => {
    const breaches: string[] = [];
    for (const path of files) {
      const place = placeOf(path);
      if (!place) continue;
      for (const specifier of importsOf(path)) {
        if (specifier.startsWith("node:")) continue;
        const reached = target(path, specifier);
        if (inside(reached, place.folder) || place.may.some((allowed) => inside(reached, allowed))) continue;
        breaches.push(`${path} imports ${reached}; ${place.folder}: ${place.because}`);
      }
    }
    assert.deepEqual(breaches, []);
  });

  test("deciders have no I/O, no clock and no chance of their own", () => {
    const breaches: string[] = [];
    for (const path of files.filter((path) => noInputOutput.some((folder) => inside(path, folder)))) {
      const text = readFileSync(join(root, path), "utf8");
      for (const pattern of impure) if (pattern.test(text)) breaches.push(`${path} has ${pattern}`);
    }
    assert.deepEqual(breaches, []);
  });

  test("nothing is called a drawer", () => {
    const drawers = /(^|\/)(utils?|helpers?|types|common|misc|lib)(\.tsx?)?(\/|$)/;
    assert.deepEqual(
      files.filter((path) => drawers.test(path)),
      [],
    );
  });

  test("versions are pinned", () => {
    const loose: string[] = [];
    for (const manifest of ["package.json", ...packages.map((name) => `packages/${name}/package.json`)]) {
      const json = JSON.parse(readFileSync(join(root, manifest), "utf8")) as Record<
        string,
        Record<string, string>
      >;
      for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
        for (const [name, version] of Object.entries(json[kind] ?? {})) {
          if (!/^\d+\.\d+\.\d+$/.test(version)) loose.push(`${manifest}: ${name} ${version}`);
        }
      }
    }
    assert.deepEqual(loose, []);
  });

  test("each dependency is justified", () => {
    const page = readFileSync(join(root, "docs/dependencies.md"), "utf8");
    const missing: string[] = [];
    for (const manifest of ["package.json", ...packages.map((name) => `packages/${name}/package.json`)]) {
      const json = JSON.parse(readFileSync(join(root, manifest), "utf8")) as Record<
        string,
        Record<string, string>
      >;
      for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
        for (const name of Object.keys(json[kind] ?? {})) {
          if (!name.startsWith("@keelson/") && !page.includes(`\`${name}\``)) missing.push(name);
        }
      }
    }
    assert.deepEqual(missing, []);
  });
});

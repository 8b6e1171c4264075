import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { lintQuadlet, UnitFile } from "@keelson/systemd";
import { KeelError } from "../../src/base/errors.ts";
import { interpolate, parseEnvFile } from "../../src/interchange/compose/interpolate.ts";
import { importCompose } from "../../src/interchange/compose/project.ts";
import type { Imported, ImportRequest } from "../../src/interchange/compose/project.ts";
import { readPlacement } from "../../src/model/placement/read-placement.ts";

const beside: Readonly<Record<string, string>> = { "db.env": "POSTGRES_USER=ada # who\nQUOTED='a b'\n" };

const imported = (text: string, more: Partial<ImportRequest> = {}): Imported =>
  importCompose(text, {
    project: "test",
    variables: new Map(),
    profiles: [],
    prefix: "",
    apart: false,
    readFile: (path) => beside[path],
    resolve: (path) => join("/home/ada/shop", path),
    ...more,
  });

const shop = readFileSync(join(import.meta.dirname, "testdata/shop.yaml"), "utf8");

function sectionsOf(result: Imported, name: string): Record<string, string[]> {
  const found = result.files.find((file) => file.name === name);
  assert.ok(found, `${name} of ${result.files.map((file) => file.name).join(", ")}`);
  const file = UnitFile.parse(found.text);
  return Object.fromEntries(
    file
      .sections()
      .map((section) => [section, file.assignments(section).map(({ key, value }) => `${key}=${value}`)]),
  );
}

describe("a Compose file", () => {
  test("is told of when replicas would share a port of a machine", () => {
    const told = (ports: string, deploy: string): readonly string[] =>
      imported(`services: {web: {image: a, ports: [${ports}], deploy: {${deploy}}}}`).notes.map(
        ({ path, text }) => `${path}: ${text.split(":")[0]}`,
      );
    const note = "services.web.ports[0]: only one of the 3 replicas can have port 8080 of a machine";
    const fixed = [
      '"8080:80"',
      '"127.0.0.1:8080:80/tcp"',
      '"[::1]:8080:80"',
      "{target: 80, published: 8080}",
    ];
    for (const port of fixed) assert.deepEqual(told(port, "replicas: 3"), [note], port);
    for (const port of ['"80"', '"127.0.0.1::80"', "{target: 80}"])
      assert.deepEqual(told(port, "replicas: 3"), [], port);
    assert.deepEqual(told('"8080:80"', "replicas: 1"), []);
    assert.deepEqual(told('"8080:80"', "mode: global"), []);
    assert.deepEqual(told('"8080:80"', "replicas: 3, placement: {max_replicas_per_node: 1}"), []);
    assert.match(told('"80", "8000-8002:80-82"', "replicas: 2")[0] ?? "", /ports\[1\].* 8000-8002 /);
  });

  test("runs beside a service that waits for no other", () => {
    const text =
      "services: {site: {image: a, depends_on: [store]}, store: {image: b}, more: {image: c, depends_on: [site]}}";
    const besides = ["site", "store", "more"].map(
      (name) => sectionsOf(imported(text), `${name}.container`)["X-Fleet"],
    );
    assert.deepEqual(besides, [["MachineOf=store.container"], undefined, ["MachineOf=store.container"]]);
  });

  test("becomes one file for each service, network and volume", () => {
    assert.deepEqual(
      imported(shop).files.map(({ name }) => name),
      ["web@.container", "db.container", "cache.container", "shop.network", "front.network", "data.volume"],
    );
    assert.deepEqual(
      imported(shop, { profiles: ["debug"], prefix: "s-" }).files.map(({ name }) => name),
      [
        "s-web@.container",
        "s-db.container",
        "s-cache.container",
        "s-debug.container",
        "s-shop.network",
        "s-front.network",
        "s-data.volume",
      ],
    );
  });

  test("a replicated service", () => {
    const web = sectionsOf(imported(shop), "web@.container");
    assert.deepEqual(web["Container"], [
      "Image=docker.io/library/nginx:1.27",
      'Environment="PRICE=5$$ each"',
      'Environment="GREETING=hello world"',
      "Environment=SHARE=50%%",
      "PublishPort=8080:80",
      "PublishPort=8443:443/tcp",
      "Volume=/home/ada/shop/site:/usr/share/nginx/html:ro",
      "Volume=/tmp/cache",
      "Network=front.network",
      "NetworkAlias=www",
      "Network=shop.network",
      "NetworkAlias=web",
      "LogDriver=journald",
      "LogOpt=tag=shop",
    ]);
    assert.deepEqual(web["Service"], [
      "Restart=always",
      "RestartSec=1",
      "MemoryMax=256M",
      "CPUQuota=50%",
      "TasksMax=100",
    ]);
    assert.deepEqual(web["X-Fleet"], ["MachineMetadata=disk=ssd", "Conflicts=web@*.container"]);
    assert.deepEqual(web["X-Keelson"], [
      "AfterUnit=db.container",
      "AfterUnit=cache.container",
      "Replicas=3",
      "MemoryRequest=128M",
      "CPURequest=0.25",
      "SpreadOver=zone",
      "MaxSurge=1",
      "UpdateOnFailure=rollback",
      "UpdateHealthyFor=15s",
    ]);
  });

  test("a database: health, files of variables, limits, mounts", () => {
    const db = sectionsOf(imported(shop), "db.container");
    assert.deepEqual(db["Container"], [
      "Image=quay.io/fedora/postgresql-16:latest",
      'Exec=postgres -c "log_line_prefix=%%t $$"',
      "Environment=POSTGRES_USER=ada",
      'Environment="QUOTED=a b"',
      "Volume=data.volume:/var/lib/pgsql",
      "Tmpfs=/run",
      "Network=shop.network",
      "NetworkAlias=db",
      "DropCapability=ALL",
      "Ulimit=nofile=1024:4096",
      "Ulimit=nproc=64",
      "LogDriver=journald",
      "LogOpt=tag=shop",
      "StopTimeout=30",
      'HealthCmd=pg_isready -U "a b"',
      "HealthInterval=90000ms",
      "HealthStartPeriod=20000ms",
      "HealthRetries=5",
    ]);
    const cache = sectionsOf(imported(shop), "cache.container");
    assert.deepEqual(cache["Container"], [
      "Image=docker.io/valkey/valkey",
      "Entrypoint=valkey-server",
      'Exec=--save "60 1"',
      "Network=host",
    ]);
    assert.deepEqual(cache["X-Fleet"], ["MachineOf=db.container"]);
    assert.deepEqual(sectionsOf(imported(shop), "data.volume")["Volume"], [
      "Type=nfs",
      "Device=:/srv",
      "Options=addr=10.0.0.1",
    ]);
  });

  test("what has no equivalent is told with its place, and nothing else", () => {
    assert.deepEqual(
      imported(shop).notes.map(({ path }) => path),
      [
        "services.debug",
        "services.web.volumes[0]",
        "services.web.depends_on.cache.condition",
        "services.web.deploy.placement.constraints",
        "services.db.secrets",
        "services.cache.gpus",
        "volumes.data",
        "secrets",
        "services",
      ],
    );
  });

  test("podman and the placement rules take every file", () => {
    for (const { name, text } of imported(shop).files) {
      assert.deepEqual(lintQuadlet(name, UnitFile.parse(text, { file: name })), [], name);
      readPlacement(name, text);
    }
  });

  const refused: readonly (readonly [text: string, message: RegExp])[] = [
    ["", /no service/],
    ["services: {}", /no service/],
    ["services: []", /services is no mapping/],
    ["services: {web: {}}", /services\.web has neither image nor build/],
    ["services: {web: {image: [1]}}", /services\.web\.image is no text/],
    ["services: {web: {image: a, ports: [nonsense]}}", /services\.web\.ports\[0\]/],
    ["services: {web: {image: a, volumes: ['gone:/x']}}", /the volume gone/],
    ["services: {web: {image: a, depends_on: [db]}}", /there is no service db/],
    ["services: {'../x': {image: a}}", /cannot be the name/],
    ['services: {web: {image: "a\\nExec=rm"}}', /cannot be written/],
    ["services: {web: {image: '${TAG:?which}'}}", /TAG must be set: which/],
    ["services: {web: {image: a, env_file: gone.env}}", /gone\.env, which cannot be read/],
    ["services: {web: {image: a, stop_grace_period: soon}}", /no duration/],
    ["services: {web: {image: a, mem_limit: much}}", /no size/],
    ["a: &a [*a]", /./],
    ["services: {web: {image: a}", /./],
    [
      "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nservices: [*c,*c,*c,*c,*c,*c]",
      /./,
    ],
    ["x".repeat((1 << 20) + 1), /larger than 1 MiB/],
  ];
  for (const [text, message] of refused) {
    test(`refused: ${text.slice(0, 60).replaceAll("\n", " ")}`, () => {
      assert.throws(() => imported(text), { code: "KEEL-108", message });
    });
  }

  test("garbage is refused with a KeelError or becomes files that can be read", () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const keys = [
      "image",
      "ports",
      "environment",
      "volumes",
      "deploy",
      "healthcheck",
      "networks",
      "command",
      "build",
    ];
    const service = fc.dictionary(fc.constantFrom(...keys), value);
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 8 }), service), (services) => {
        try {
          for (const { name, text } of imported(JSON.stringify({ services })).files)
            readPlacement(name, text);
        } catch (error) {
          assert.ok(error instanceof KeelError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("variables", () => {
  const variables = new Map([
    ["A", "1"],
    ["EMPTY", ""],
  ]);
  const cases: readonly (readonly [text: string, value: string])[] = [
    ["$A ${A} $$A", "1 1 $A"],
    ["${B-x} ${B:-x} ${EMPTY-x} ${EMPTY:-x}", "x x  x"],
    ["${A:+set} ${B:+set} ${EMPTY+set}", "set  set"],
    ["${B:-${A}}", "1"],
    ["${B}", ""],
  ];
  for (const [text, value] of cases) test(text, () => assert.equal(interpolate(text, variables), value));

  test("what is no variable is refused", () => {
    assert.throws(() => interpolate("5$ each", variables), { code: "KEEL-108" });
    assert.throws(() => interpolate("${EMPTY:?must}", variables), { message: /EMPTY must be set: must/ });
  });

  test("env files", () => {
    const text = '# comment\nexport A=1\nB = two words  # rest\nC=\'$x # y\'\nD="a\\nb\\""\nnonsense\n=x\n';
    assert.deepEqual(
      [...parseEnvFile(text)],
      [
        ["A", "1"],
        ["B", "two words"],
        ["C", "$x # y"],
        ["D", 'a\nb"'],
      ],
    );
  });
});

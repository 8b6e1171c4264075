// A Compose file becomes units that run in a cluster, and those become files that run without one.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Cluster, keel } from "../support/cluster.ts";
import { loadHelloImage } from "../support/hello-image.ts";
import { whyNoMachines } from "../support/machines.ts";
import { page as pageAt } from "../support/served.ts";

const cluster = new Cluster(`t${process.pid}-compose`);
let folder = "";
let address = "";

const compose = `
services:
  site:
    image: localhost/hello:latest
    pull_policy: never
    ports: ["8088:8080"]
    environment: { PRICE: "5$$ or 50%", WHO: "\${WHO:-ada}" }
    depends_on: { store: { condition: service_healthy } }
    stop_grace_period: 1s
  store:
    image: localhost/hello:latest
    pull_policy: never
    command: ["sleep", "1000"]
    volumes: ["data:/data"]
    healthcheck: { test: ["CMD", "ls", "/data"], interval: 1s, retries: 3 }
    stop_grace_period: 1s
volumes: { data: {} }
`;

const inside = (line: string): Promise<string> => cluster.inside("m1", line);

/** The page of the site, as soon as it answers. */
const page = (): Promise<string> => pageAt(`http://${address}:8088/`);

describe("Compose in, plain files out", { skip: whyNoMachines(), timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-compose-"));
    await cluster.keel(["up", "--no-example", "-n", "1"]);
    await loadHelloImage(cluster, folder);
    await writeFile(join(folder, "compose.yaml"), compose);
    address = (await cluster.snapshot()).machines[0]?.address ?? "";
  });
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("an imported file starts as it is, in its order, and its services find each other by name", async () => {
    const imported = await keel(["import", join(folder, "compose.yaml"), "-d", join(folder, "units")]);
    assert.equal(imported.status, 0, imported.stderr);
    const units = (await readdir(join(folder, "units"))).map((name) => join(folder, "units", name));
    await cluster.keel(["start", ...units]);
    await cluster.until("both are healthy", ({ instances }) =>
      ["site.container", "store.container"].every((name) =>
        instances.some((one) => one.name === name && one.state === "healthy"),
      ),
    );
    const words = await cluster.keel(["exec", "site", "--", "sh", "-c", "echo $PRICE, $WHO"]);
    assert.equal(words.stdout.trim(), "5$ or 50%, ada");
    const found = await cluster.keel(["exec", "site", "--", "/bin/busybox", "nslookup", "store"]);
    assert.match(found.stdout, /Address[^]*Address.*\d+\.\d+\.\d+\.\d+/);
    assert.match(await page(), /hello/i);
  });

  test("exported files run on a machine on which no keeld does", async () => {
    const plain = join(folder, "plain");
    await cluster.keel(["export", "site", "store", "-d", plain]);
    const names = await readdir(join(plain, "containers"));
    assert.equal(names.length, 4, names.join(" "));
    await cluster.keel(["destroy", "--all", "--confirm", cluster.name]);
    await cluster.until("all are gone", ({ instances }) => instances.length === 0);
    await inside("systemctl stop keeld.service keelson-fence.service && mkdir -p /etc/containers/systemd");
    for (const name of names) {
      const text = await readFile(join(plain, "containers", name), "utf8");
      assert.doesNotMatch(text, /X-Keelson|X-Fleet/);
      await inside(
        `echo ${Buffer.from(text).toString("base64")} | base64 -d >/etc/containers/systemd/${name}`,
      );
    }
    await inside("systemctl daemon-reload && systemctl start site.service store.service");
    assert.match(await page(), /hello/i);
    assert.match(await inside("systemctl show -P After site.service"), /store\.service/);
  });
});

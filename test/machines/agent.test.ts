// The agent on real machines: systemd, podman, the fence. The test is the leader: it writes the orders.
// m1 has the store, m2 carries the orders out.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import type { ScheduleEntry, UnitStatus } from "../../packages/keelson/src/model/schedule.ts";
import { putBodies } from "../../packages/keelson/src/registry/bodies.ts";
import { hashBody } from "../../packages/keelson/src/registry/body-cache.ts";
import { ClusterView } from "../../packages/keelson/src/registry/cluster-view.ts";
import { EtcdStore } from "../../packages/keelson/src/registry/etcd-store.ts";
import { putImage } from "../../packages/keelson/src/registry/images.ts";
import { writeOrders } from "../../packages/keelson/src/registry/orders.ts";
import type { Machines } from "../support/machines.ts";
import { withMachines } from "../support/machines.ts";
import { withTimeToSpare } from "../support/time-to-spare.ts";

const apiPort = 2390;
const storePort = 2379;
const leaseMs = 6000;
const sleeper = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
const web = `[Container]
Image=localhost/hello:latest
Exec=/bin/busybox httpd -f -p 80
PublishPort=80
Environment=NUMBER=%i
StopTimeout=1
`;

/** The leader's hand: orders for m2, and what m2 says about them. */
class Orders implements AsyncDisposable {
  readonly #store: EtcdStore;
  readonly #view: ClusterView;
  readonly #machine: string;

  private constructor(store: EtcdStore, view: ClusterView, machine: string) {
    this.#store = store;
    this.#view = view;
    this.#machine = machine;
  }

  static async open(endpoint: string, machineName: string): Promise<Orders> {
    const around = { clock: systemClock, random: systemRandom, log: silentLog };
    const store = new EtcdStore({ endpoints: [endpoint], ...around });
    const view = ClusterView.open(store, { scope: "all", ...around });
    const named = () => [...view.snapshot.machines.values()].find(({ name }) => name === machineName);
    await view.waitFor(() => named() !== undefined, AbortSignal.timeout(30_000));
    return new Orders(store, view, named()?.id ?? "");
  }

  get store(): EtcdStore {
    return this.#store;
  }

  get isRegistered(): boolean {
    return this.#view.snapshot.machines.has(this.#machine);
  }

  status(unit: string): UnitStatus | undefined {
    return this.#view.snapshot.statuses.get(this.#machine)?.get(unit);
  }

  /** Gives orders, or takes them back (undefined). */
  async give(units: Readonly<Record<string, string | undefined>>, more: Partial<ScheduleEntry> = {}) {
    const known = Object.entries(units).flatMap(([unit, body]) =>
      body === undefined ? [] : [{ unit, body }],
    );
    await putBodies(this.#store, new Map(known.map(({ body }) => [hashBody(body), body])));
    const writes = Object.entries(units).map(([unit, body]) => {
      const machine = this.#machine;
      if (body === undefined) return { machine, remove: unit };
      const entry: ScheduleEntry = {
        unit,
        hash: hashBody(body),
        desired: "launched",
        restarts: 0,
        onPartition: "stop",
        companion: false,
        fence: 1,
        placed: Date.now(),
        because: "the test says so",
        ...more,
      };
      return { machine, entry };
    });
    await writeOrders(this.#store, [], writes);
  }

  async until(what: string, holds: () => boolean, timeoutMs = 120_000): Promise<number> {
    const started = performance.now();
    try {
      await this.#view.waitFor(() => holds(), AbortSignal.timeout(timeoutMs));
    } catch (cause) {
      const statuses = [...(this.#view.snapshot.statuses.get(this.#machine)?.values() ?? [])];
      throw new Error(`not within ${timeoutMs} ms: ${what}\n${JSON.stringify(statuses, undefined, 1)}`, {
        cause,
      });
    }
    return performance.now() - started;
  }

  isActive = (unit: string): boolean => this.status(unit)?.active === "active";

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#view[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }
}

test("the agent on real machines", async (t) => {
  let store = "";
  const credentials = ({ name, address }: { readonly name: string; readonly address: string }) => {
    const isFirst = name === "m1";
    if (isFirst) store = `http://${address}:${storePort}`;
    const configuration = {
      cluster: "agent",
      roles: isFirst ? ["store", "agent", "api"] : ["agent", "api"],
      address,
      store: {
        endpoints: [store],
        ...(isFirst
          ? { listen: [{ host: address, port: storePort }], dataDir: "/var/lib/keelson/store" }
          : {}),
      },
      api: { listen: [{ host: address, port: apiPort }] },
      leaseSeconds: leaseMs / 1000,
    };
    return { "keelson.config": JSON.stringify(configuration) };
  };
  await withMachines(t, { count: 2, cluster: "agent", keeld: true, credentials }, async (machines) => {
    await using orders = await Orders.open(store, "m2");
    for (const [name, run] of Object.entries(cases)) await t.test(name, (t) => run(t, orders, machines));
  });
});

const invocationOf = (sh: Machines["sh"], service: string): Promise<string> =>
  sh("m2", `systemctl show -p InvocationID --value ${service}`);

const pidOfKeeld = "systemctl show -P MainPID keeld";
const untilAnother = `until new=$(${pidOfKeeld}); [ $new != $old ] && systemctl -q is-active keeld; do sleep 0.1; done`;

const cases: Readonly<Record<string, (t: TestContext, orders: Orders, machines: Machines) => Promise<void>>> =
  {
    async "starts a service, restarts it, takes a new file, and removes it"(_t, orders, { sh }) {
      await orders.give({ "a.service": sleeper });
      await orders.until("a runs", () => orders.isActive("a.service"));
      const first = orders.status("a.service")?.invocation ?? "";
      await orders.give({ "a.service": sleeper }, { restarts: 1 });
      await orders.until("a was restarted", () => orders.status("a.service")?.restarts === 1);
      await orders.until("with a new invocation", () => orders.status("a.service")?.invocation !== first);
      const other = sleeper.replace("infinity", "1000000");
      await orders.give({ "a.service": other }, { restarts: 1 });
      await orders.until("a has the new file", () => orders.status("a.service")?.hash === hashBody(other));
      await orders.until("and runs", () => orders.isActive("a.service"));
      assert.match(await sh("m2", "systemctl show -p ExecStart --value a.service"), /sleep 1000000/);
      await orders.give({ "a.service": undefined });
      await orders.until("a is gone", () => orders.status("a.service") === undefined);
      const left = "ls /run/systemd/system | grep -x a.service; systemctl is-active a.service";
      assert.equal((await sh("m2", `{ ${left}; } || true`)).trim(), "inactive");
    },

    async "says why a unit does not run"(_t, orders) {
      await orders.give({
        "bad.service": "[Service]\nExecStart=/bin/sh -c 'echo boom; exit 3'\n",
        "syntax.service": "[Service]\nnonsense\n",
        "quadlet.container": "[Container]\nExec=true\n",
        "sshd.service": sleeper,
        "ssh.service": sleeper,
      });
      const reason = (unit: string): string => orders.status(unit)?.reason ?? "";
      await orders.until("bad", () => /exit status 3: boom/.test(reason("bad.service")));
      await orders.until("syntax", () => /syntax\.service:2:1/.test(reason("syntax.service")));
      await orders.until("quadlet", () => /no Image or Rootfs key/.test(reason("quadlet.container")));
      await orders.until("ssh", () => /a unit of its own/.test(reason("ssh.service")));
      const names = ["bad.service", "syntax.service", "quadlet.container", "sshd.service", "ssh.service"];
      await orders.give(Object.fromEntries(names.map((name) => [name, undefined])));
      await orders.until("all gone", () => names.every((name) => orders.status(name) === undefined));
    },

    async "[Install] ties a unit to another"(_t, orders, { sh }) {
      const sidekick = `[Unit]\nBindsTo=main.service\nAfter=main.service\n${sleeper}[Install]\nWantedBy=main.service\n`;
      await orders.give({ "side.service": sidekick }, { desired: "loaded" });
      await orders.until("side is loaded", () => orders.status("side.service")?.load === "loaded");
      assert.equal(orders.isActive("side.service"), false);
      await orders.give({ "main.service": sleeper });
      await orders.until("side follows main up", () => orders.isActive("side.service"));
      await orders.give({ "main.service": undefined });
      await orders.until("side follows main down", () => !orders.isActive("side.service"));
      await orders.give({ "side.service": undefined });
      await orders.until("side is gone", () => orders.status("side.service") === undefined);
      assert.equal((await sh("m2", "ls /run/systemd/system/ | grep -c main || true")).trim(), "0");
    },

    async "containers: an archive from another machine, instances, companions, health, addresses"(
      _t,
      orders,
      { sh },
    ) {
      await sh(
        "m1",
        "mkdir -p /var/tmp/i/bin && cp /usr/bin/busybox /var/tmp/i/bin/ && ln -sf busybox /var/tmp/i/bin/sh",
      );
      await sh("m1", "tar -C /var/tmp/i -c . | podman import -q - localhost/hello:latest");
      await sh(
        "m1",
        "mkdir -p /var/tmp/h/v1/archives && podman save -q -o /var/tmp/h/a localhost/hello:latest",
      );
      const sha256 = (await sh("m1", "sha256sum /var/tmp/h/a")).slice(0, 64);
      await sh(
        "m1",
        `mv /var/tmp/h/a /var/tmp/h/v1/archives/${sha256} && busybox httpd -p 8099 -h /var/tmp/h`,
      );
      const imageId = (
        await sh("m1", "podman image inspect --format '{{.Id}}' localhost/hello:latest")
      ).trim();
      const bytes = Number(await sh("m1", `stat -c %s /var/tmp/h/v1/archives/${sha256}`));
      const address = new URL((await sh("m2", "cat /run/keelson/members.json").then(firstAddress)) ?? "");
      await putImage(orders.store, {
        name: "localhost/hello:latest",
        archive: sha256,
        imageId,
        bytes,
        holders: [`http://${address.hostname}:1`, `http://${address.hostname}:8099`],
        loaded: Date.now(),
      });
      const checked = `${web}Network=app.network\nHealthCmd=/bin/busybox true\nHealthInterval=1s\n`;
      await orders.give({ "web@1.container": checked, "web@2.container": checked });
      await orders.until("they wait", () => /waits for/.test(orders.status("web@1.container")?.reason ?? ""));
      await orders.give({ "app.network": "[Network]\n" }, { companion: true });
      const isUp = (unit: string): boolean => {
        const status = orders.status(unit);
        return status?.health === "healthy" && status.addresses.length === 1;
      };
      await orders.until("both are healthy", () => isUp("web@1.container") && isUp("web@2.container"));
      const numbers = await sh(
        "m2",
        "podman exec systemd-web_1 /bin/busybox env; podman exec systemd-web_2 /bin/busybox env",
      );
      assert.deepEqual(numbers.match(/^NUMBER=.*$/gm), ["NUMBER=1", "NUMBER=2"]);
      const answer = await fetch(`http://${orders.status("web@2.container")?.addresses[0]}/`);
      assert.equal(answer.status, 404);
      await orders.give({ "web@2.container": undefined });
      await orders.until("web@2 is gone", () => orders.status("web@2.container") === undefined);
      assert.equal((await sh("m2", "systemctl --failed --quiet | wc -l")).trim(), "0");
    },

    async "keeld's life is not the work's life"(t, orders, { sh }) {
      await orders.give({ "s.service": sleeper });
      await orders.until("s runs", () => orders.isActive("s.service"));
      const invocations = async (): Promise<string[]> => [
        await invocationOf(sh, "s.service"),
        await invocationOf(sh, "web@1.service"),
      ];
      let restarts = 0;
      await withTimeToSpare(t, async () => {
        await orders.until(
          "all run",
          () => orders.isActive("s.service") && orders.isActive("web@1.container"),
        );
        const before = await invocations();
        await sh("m2", "systemctl restart keeld");
        await sh("m2", `old=$(${pidOfKeeld}); systemctl kill -s KILL keeld; ${untilAnother}`);
        restarts += 1;
        await orders.give({ "t.service": sleeper }, { restarts });
        await orders.until("t runs", () => orders.status("t.service")?.restarts === restarts);
        await orders.until("t is active", () => orders.isActive("t.service"));
        assert.deepEqual(await invocations(), before, "they run as before");
      });
      assert.equal(orders.isActive("s.service"), true);
    },

    async "without the store the units go on; nothing is restarted when it is back"(_t, orders, { sh }) {
      const before = await invocationOf(sh, "s.service");
      await sh("m1", "systemctl stop keeld");
      await new Promise((resolve) => setTimeout(resolve, leaseMs + 1000));
      assert.equal(await invocationOf(sh, "s.service"), before);
      assert.equal((await sh("m2", "systemctl is-active s.service")).trim(), "active");
      await sh("m1", "systemctl start keeld");
      await orders.give({ "t.service": undefined });
      await orders.until("the agent hears again", () => orders.status("t.service") === undefined);
      assert.equal(await invocationOf(sh, "s.service"), before);
    },

    async "a machine that is cut off stops its singletons within the lease, and starts them when it is back"(
      _t,
      orders,
      { sh, machines },
    ) {
      await orders.give({ "k.service": sleeper }, { onPartition: "keep" });
      await orders.until("k runs", () => orders.isActive("k.service"));
      const kept = await invocationOf(sh, "k.service");
      await machines.cut("m2");
      const started = performance.now();
      const states = () => sh("m2", "systemctl is-active s.service web@1.service k.service || true");
      for (
        let asked = started;
        /^active\n|\nactive\nactive/.test(await states());
        asked = performance.now()
      ) {
        assert.ok(asked - started < leaseMs, "still there when the lease is over");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await orders.until("the lease is over", () => !orders.isRegistered);
      await machines.heal("m2");
      await orders.until(
        "back in the cluster",
        () => orders.isActive("s.service") && orders.isActive("web@1.container"),
      );
      assert.equal(await invocationOf(sh, "k.service"), kept);
    },

    async "without keeld the fence stops them; a new keeld starts them again"(_t, orders, { sh }) {
      await sh("m2", "systemctl stop keeld");
      const started = performance.now();
      const isStopped = async () =>
        /^(inactive|failed)/.test(await sh("m2", "systemctl is-active s.service || true"));
      for (let asked = started; !(await isStopped()); asked = performance.now())
        assert.ok(asked - started < leaseMs + 500, "still there when the lease is over");
      await sh("m2", "systemctl start keeld");
      await orders.until("s runs again", () => orders.isActive("s.service") && orders.isRegistered);
    },

    async "a machine that shuts down gives its lease up at once"(t, orders, { machines }) {
      // A busy host takes longer to stop the machine than its lease lasts: then it says nothing.
      await withTimeToSpare(t, async () => {
        await machines.start("m2");
        await orders.until("it is there", () => orders.isRegistered);
        const started = performance.now();
        await machines.stop("m2");
        await orders.until("its record is gone", () => !orders.isRegistered);
        assert.ok(performance.now() - started < leaseMs, "its lease was not given up");
      });
    },
  };

/** The address of the first member that is remembered, as a URL. */
function firstAddress(json: string): string | undefined {
  const members = JSON.parse(json) as { readonly name: string; readonly address: string }[];
  const first = members.find(({ name }) => name === "m1");
  return first && `http://${first.address}`;
}

// Every source, with what it really answers and with garbage. The services are servers on loopback.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import type { KeelError } from "../../src/base/errors.ts";
import { azure, customDataIn, reportReady } from "../../src/provision/sources/azure.ts";
import { ec2 } from "../../src/provision/sources/ec2.ts";
import { machineNumber, readFacts } from "../../src/provision/sources/facts.ts";
import { findSource } from "../../src/provision/sources/find-source.ts";
import { gce, googleKeys } from "../../src/provision/sources/gce.ts";
import { fetchBounded } from "../../src/provision/sources/http.ts";
import {
  configDrive,
  firmwareNames,
  labels,
  noCloud,
  readSimpleYaml,
} from "../../src/provision/sources/local-sources.ts";
import { diskAt } from "../../src/provision/sources/mounted-disk.ts";
import { openStack, openStackMetadata } from "../../src/provision/sources/openstack.ts";
import type { Asking, Facts } from "../../src/provision/sources/source.ts";
import { commandLineUrl, urlIn } from "../../src/provision/sources/url.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGVleGFtcGxlZXhhbXBsZWV4YW1wbGVl me@example";
const userData = "#cloud-config\nhostname: web-1\n";
const noFacts: Facts = { dmi: {}, commandLine: "", firmwareFiles: "/nowhere", diskLabels: "/nowhere" };

type Reply = {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
};
type Answering = (request: IncomingMessage, body: string) => Reply | undefined;

let answering: Answering = () => undefined;
let asked: string[] = [];
let base = "";
let folder = "";
const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  void (async () => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    asked.push(`${request.method} ${request.url}`);
    const reply = answering(request, body) ?? { status: 404 };
    response.writeHead(reply.status ?? 200, reply.headers);
    response.end(reply.body ?? "");
  })();
});

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), "keelson-sources-"));
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Answers by path; what is not there is 404. */
function serve(paths: Readonly<Record<string, string | Buffer>>, check: Answering = () => undefined): void {
  asked = [];
  answering = (request, body) => {
    const reply = check(request, body);
    if (reply !== undefined) return reply;
    const found = paths[request.url ?? ""];
    return found === undefined ? undefined : { body: found };
  };
}

const asking = (more: Partial<Asking> = {}): Asking => ({
  facts: noFacts,
  clock: systemClock,
  patienceMs: 400,
  endpoints: { ec2: base, gce: base, openstack: base, azure: base, azureWire: base },
  openDisk: () => Promise.resolve(undefined),
  ...more,
});

/** A folder with files as a disk. */
async function diskOf(files: Readonly<Record<string, string>>): Promise<Asking["openDisk"]> {
  const place = await mkdtemp(join(folder, "disk-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(place, name)), { recursive: true });
    await writeFile(join(place, name), content);
  }
  return () => Promise.resolve(diskAt(place, "/dev/vdb"));
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: KeelError) => error.code,
  );

describe("EC2", () => {
  const paths = {
    "/latest/meta-data/instance-id": "i-0abc",
    "/latest/meta-data/local-hostname": "ip-10-0-0-5.ec2.internal",
    "/latest/meta-data/local-ipv4": "10.0.0.5",
    "/latest/meta-data/public-ipv4": "203.0.113.5",
    "/latest/meta-data/public-keys/": "0=mine",
    "/latest/meta-data/public-keys/0/openssh-key": `${key}\n`,
    "/latest/user-data": userData,
  };
  const token: Answering = (request) => {
    if (request.url === "/latest/api/token")
      return request.method === "PUT" && request.headers["x-aws-ec2-metadata-token-ttl-seconds"] !== undefined
        ? { body: "TOKEN" }
        : { status: 400 };
    return request.headers["x-aws-ec2-metadata-token"] === "TOKEN" ? undefined : { status: 401 };
  };

  test("is asked with a token", async () => {
    serve(paths, token);
    const found = await ec2.read(asking());
    assert.deepEqual(found, {
      kind: "ec2",
      where: base,
      instance: "i-0abc",
      hostname: "ip-10-0-0-5.ec2.internal",
      keys: [key],
      addresses: { privateIpv4: "10.0.0.5", publicIpv4: "203.0.113.5" },
      userData: Buffer.from(userData),
    });
    assert.equal(asked[0], "PUT /latest/api/token");
  });

  test("is asked without one only where tokens are not known", async () => {
    serve(paths);
    assert.equal((await ec2.read(asking()))?.instance, "i-0abc");
    serve(paths, (request) => (request.method === "PUT" ? { status: 403 } : undefined));
    assert.equal(await codeOf(ec2.read(asking())), "KEEL-842");
  });

  test("without user data tells name and keys all the same", async () => {
    const { "/latest/user-data": _without, ...rest } = paths;
    serve(rest, token);
    const found = await ec2.read(asking());
    assert.equal(found?.userData, undefined);
    assert.deepEqual(found?.keys, [key]);
  });

  test("that stumbles is asked again, and one that stays silent is given up", async () => {
    let failing = 2;
    serve(paths, (request, body) => (failing-- > 0 ? { status: 503 } : token(request, body)));
    assert.equal((await ec2.read(asking({ patienceMs: 5000 })))?.instance, "i-0abc");
    serve({}, () => ({ status: 500 }));
    assert.equal(await codeOf(ec2.read(asking())), "KEEL-842");
    const dead = { ...asking().endpoints, ec2: "http://127.0.0.1:1" };
    assert.equal(await codeOf(ec2.read(asking({ endpoints: dead }))), "KEEL-842");
  });

  test("with endless user data is refused", async () => {
    serve({ ...paths, "/latest/user-data": Buffer.alloc(600 << 10) }, token);
    assert.equal(await codeOf(ec2.read(asking())), "KEEL-842");
  });
});

describe("GCE", () => {
  const instance = "/computeMetadata/v1/instance";
  const paths: Readonly<Record<string, string>> = {
    [`${instance}/id`]: "5291394726912345678",
    [`${instance}/hostname`]: "web-1.c.project.internal",
    [`${instance}/attributes/user-data`]: userData,
    [`${instance}/attributes/ssh-keys`]: `me:${key}\nold:${key} google-ssh {"userName":"x","expireOn":"2018-12-04T20:12:00+0000"}`,
    [`${instance}/network-interfaces/0/ip`]: "10.128.0.2",
    [`${instance}/network-interfaces/0/access-configs/0/external-ip`]: "203.0.113.9",
  };

  test("is known by its answer, and keeps numbers larger than 2^53 whole", async () => {
    asked = [];
    answering = (request) => {
      assert.equal(request.headers["metadata-flavor"], "Google");
      const body = paths[request.url ?? ""];
      return body === undefined
        ? { status: 404, headers: { "metadata-flavor": "Google" } }
        : { body, headers: { "metadata-flavor": "Google" } };
    };
    const found = await gce.read(asking());
    assert.equal(found?.instance, "5291394726912345678");
    assert.equal(found?.userData?.toString(), userData);
    assert.deepEqual(found?.keys, [key]);
    assert.deepEqual(found?.addresses, { privateIpv4: "10.128.0.2", publicIpv4: "203.0.113.9" });
  });

  test("is not believed without its name", async () => {
    serve(paths);
    assert.equal(await codeOf(gce.read(asking())), "KEEL-842");
  });

  test("has keys that end", () => {
    const until = (time: string): string => `me:${key} google-ssh {"expireOn":"${time}"}`;
    const wall = Date.parse("2026-01-01T00:00:00Z");
    assert.equal(googleKeys(until("2026-01-01T01:00:00Z"), wall).length, 1);
    assert.equal(googleKeys(until("2025-01-01T01:00:00Z"), wall).length, 0);
    assert.equal(googleKeys(until("tomorrow"), wall).length, 0);
    assert.equal(googleKeys("garbage\n:::\n", wall).length, 0);
  });
});

describe("OpenStack", () => {
  const metadata = JSON.stringify({
    uuid: "83679162-1378-4288-a2d4-70e13ec132aa",
    hostname: "web-1.novalocal",
    public_keys: { mine: `${key}\n`, garbage: "x" },
    launch_index: 0,
  });

  test("from its service", async () => {
    serve({
      "/openstack/latest/meta_data.json": metadata,
      "/openstack/latest/user_data": userData,
      "/latest/meta-data/local-ipv4": "10.0.0.7",
    });
    const found = await openStack.read(asking());
    assert.equal(found?.instance, "83679162-1378-4288-a2d4-70e13ec132aa");
    assert.deepEqual(found?.keys, [key]);
    assert.deepEqual(found?.addresses, { privateIpv4: "10.0.0.7", publicIpv4: undefined });
  });

  test("from a config drive", async () => {
    const openDisk = await diskOf({
      "openstack/latest/meta_data.json": metadata,
      "openstack/latest/user_data": userData,
    });
    const found = await configDrive.read(asking({ openDisk }));
    assert.equal(found?.hostname, "web-1.novalocal");
    assert.equal(found?.userData?.toString(), userData);
    assert.equal(found?.where, "/dev/vdb");
  });

  test("with any metadata tells what can be believed", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const { keys } = openStackMetadata(text);
        assert.ok(Array.isArray(keys));
      }),
    );
  });
});

describe("Azure", () => {
  const document = JSON.stringify({
    compute: {
      vmId: "5c08b38e-4d57-4c23-ac45-aca61037f084",
      name: "web-1",
      osProfile: { computerName: "web-1", adminUsername: "me" },
      publicKeys: [{ keyData: key, path: "/home/me/.ssh/authorized_keys" }],
      userData: Buffer.from(userData).toString("base64"),
    },
    network: {
      interface: [
        { ipv4: { ipAddress: [{ privateIpAddress: "10.1.0.4", publicIpAddress: "203.0.113.4" }] } },
      ],
    },
  });
  const path = "/metadata/instance?api-version=2021-02-01&format=json";

  test("tells the machine by its service", async () => {
    serve({ [path]: document }, (request) =>
      request.headers.metadata === "true" ? undefined : { status: 400 },
    );
    const found = await azure.read(asking());
    assert.equal(found?.instance, "5c08b38e-4d57-4c23-ac45-aca61037f084");
    assert.deepEqual(found?.keys, [key]);
    assert.equal(found?.userData?.toString(), userData);
    assert.deepEqual(found?.addresses, { privateIpv4: "10.1.0.4", publicIpv4: "203.0.113.4" });
  });

  test("has custom data on a drive", async () => {
    const custom = Buffer.from(userData).toString("base64");
    const openDisk = await diskOf({
      "ovf-env.xml": `<Environment><wa:X><ns1:UserPassword>geheim</ns1:UserPassword><ns1:CustomData>${custom}</ns1:CustomData></wa:X></Environment>`,
    });
    serve({ [path]: JSON.stringify({ compute: { vmId: "x", userData: "" } }) });
    assert.equal((await azure.read(asking({ openDisk })))?.userData?.toString(), userData);
    for (const garbage of ["", "<CustomData>", "<CustomData>%</CustomData>", "<a>".repeat(9999)])
      assert.equal(customDataIn(garbage), undefined);
  });

  test("is told that the machine is up", async () => {
    let told = "";
    serve(
      {
        "/machine/?comp=goalstate":
          "<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i-1.web</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>",
      },
      (request, body) => {
        if (request.method !== "POST") return undefined;
        told = `${request.url} ${body}`;
        return { status: 200 };
      },
    );
    assert.equal(await reportReady(asking()), true);
    assert.match(told, /^\/machine\?comp=health .*<ContainerId>c-1<\/ContainerId>.*<State>Ready<\/State>/);
    serve({ "/machine/?comp=goalstate": "<html>hello</html>" });
    assert.equal(await reportReady(asking()), false);
  });
});

describe("NoCloud", () => {
  test("is a disk with user-data and meta-data", async () => {
    const openDisk = await diskOf({
      "user-data": userData,
      "meta-data": "instance-id: i-1\nlocal-hostname: web-1\n",
      "network-config": "version: 2\n",
    });
    const found = await noCloud.read(asking({ openDisk }));
    assert.deepEqual(
      [found?.instance, found?.hostname, found?.networkConfig],
      ["i-1", "web-1", "version: 2\n"],
    );
    assert.equal(await noCloud.read(asking({ openDisk: await diskOf({ other: "x" }) })), undefined);
  });

  test("follows no link from the disk, and reads no endless file", async () => {
    const place = await mkdtemp(join(folder, "hostile-"));
    await writeFile(join(folder, "secret"), "geheim");
    await symlink(join(folder, "secret"), join(place, "user-data"));
    await symlink(folder, join(place, "openstack"));
    await writeFile(join(place, "large"), Buffer.alloc(2000));
    const disk = diskAt(place, "/dev/vdb");
    assert.equal(await disk.read("user-data", 100), undefined);
    assert.equal(await disk.read("openstack/secret", 100), undefined);
    assert.equal(await codeOf(disk.read("large", 1000)), "KEEL-842");
  });

  test("with any meta-data has a name or none", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        for (const [, value] of readSimpleYaml(Buffer.from(text))) assert.equal(typeof value, "string");
      }),
    );
  });
});

describe("the kernel's command line", () => {
  test("names a URL, and the last counts", () => {
    assert.equal(
      urlIn("quiet cloud-config-url=http://a/x keelson.cloud-config=https://b/y?z=1")?.href,
      "https://b/y?z=1",
    );
    for (const none of [
      "",
      "cloud-config-url=",
      "keelson.cloud-config=file:///etc/passwd",
      "xkeelson.cloud-config=http://a",
    ])
      assert.equal(urlIn(none), undefined);
  });

  test("leads to the configuration, over redirects too, and the query is not told", async () => {
    serve({ "/there": userData }, (request) =>
      request.url === "/config?token=geheim" ? { status: 302, headers: { location: "/there" } } : undefined,
    );
    const facts = { ...noFacts, commandLine: `quiet keelson.cloud-config=${base}/config?token=geheim` };
    const found = await commandLineUrl.read(asking({ facts }));
    assert.equal(found?.userData?.toString(), userData);
    assert.equal(found?.where, `${base}/config`);
    serve({});
    assert.equal(await codeOf(commandLineUrl.read(asking({ facts }))), "KEEL-842");
  });
});

describe("requests", () => {
  test("are bounded in bytes, time and redirects", async () => {
    serve({ "/large": Buffer.alloc(2000) }, (request) =>
      request.url === "/round" ? { status: 302, headers: { location: "/round" } } : undefined,
    );
    await assert.rejects(fetchBounded(`${base}/large`, { maxBytes: 1000 }), /larger than 1000 bytes/);
    assert.equal((await fetchBounded(`${base}/round`, { redirects: 3 })).status, 302);
    assert.equal(asked.filter((line) => line.endsWith("/round")).length, 4);
    await assert.rejects(fetchBounded("file:///etc/passwd", {}), /not spoken/);
  });
});

describe("which source there is", () => {
  test("firmware tells, so that no machine waits for a cloud that is not there", () => {
    const of = (dmi: Facts["dmi"]): readonly string[] =>
      [ec2, gce, openStack, azure]
        .filter((source) => source.isThere({ ...noFacts, dmi }))
        .map(({ kind }) => kind);
    assert.deepEqual(of({ sys_vendor: "QEMU", product_name: "Standard PC (Q35 + ICH9, 2009)" }), []);
    assert.deepEqual(of({ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" }), []);
    assert.deepEqual(of({ sys_vendor: "Amazon EC2", product_name: "t3.micro" }), ["ec2"]);
    assert.deepEqual(of({ sys_vendor: "Google", product_name: "Google Compute Engine" }), ["gce"]);
    assert.deepEqual(of({ sys_vendor: "OpenStack Foundation", product_name: "OpenStack Nova" }), [
      "openstack",
    ]);
    assert.deepEqual(of({ chassis_asset_tag: "7783-7084-3265-9085-8269-3286-77" }), ["azure"]);
  });

  test("the first in order that has something; none where there is nothing", async () => {
    const credentials = await mkdtemp(join(folder, "credentials-"));
    await writeFile(join(credentials, "keelson.cloud-config"), userData);
    const facts = { ...noFacts, credentials, dmi: { sys_vendor: "Amazon EC2" } };
    serve({});
    assert.equal((await findSource(asking({ facts }), "network"))?.kind, "credential");
    assert.deepEqual(asked, []);
    assert.equal(await findSource(asking(), "network"), undefined);
    const cloud = { ...noFacts, dmi: { sys_vendor: "Amazon EC2" } };
    assert.equal(await findSource(asking({ facts: cloud }), "local"), undefined);
  });

  test("the unit that asks the local ones starts for each of them", async () => {
    const path = "../../../../os/image/root/usr/lib/systemd/system/keelson-provision.service";
    const unit = await readFile(resolve(import.meta.dirname, path), "utf8");
    const conditions = [...unit.matchAll(/^ConditionPathExists=\|(.*)$/gm)].map(([, place]) => place);
    const { seeds = [], firmwareFiles, diskLabels } = await readFacts({});
    const places = [
      ...firmwareNames.map((name) => join(firmwareFiles, name, "raw")),
      ...Object.values(labels).flatMap((names) => names.map((name) => join(diskLabels, name))),
      ...seeds,
    ];
    assert.deepEqual(new Set(conditions), new Set(places));
  });

  test("facts come from files, and a number that many machines have is none", async () => {
    const root = await mkdtemp(join(folder, "root-"));
    await mkdir(join(root, "sys/class/dmi/id"), { recursive: true });
    await mkdir(join(root, "proc"));
    await writeFile(join(root, "sys/class/dmi/id/sys_vendor"), "QEMU\n");
    await writeFile(join(root, "sys/class/dmi/id/product_uuid"), "6F2A8E5C-1111-4222-8333-444455556666\n");
    await writeFile(join(root, "proc/cmdline"), "quiet\n");
    const facts = await readFacts({}, root);
    assert.deepEqual([facts.dmi.sys_vendor, facts.commandLine], ["QEMU", "quiet"]);
    assert.equal(machineNumber(facts), "6f2a8e5c-1111-4222-8333-444455556666");
    assert.equal(
      machineNumber({ ...facts, dmi: { product_uuid: "00000000-0000-0000-0000-000000000000" } }),
      undefined,
    );
    assert.equal(machineNumber({ ...facts, dmi: {} }), undefined);
  });
});

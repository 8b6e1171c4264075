import assert from "node:assert/strict";
import { test } from "node:test";
import {
  imageProvided,
  imagesUsed,
  lintQuadlet,
  parsePublishedPort,
  publishedPorts,
  quadletReferences,
  serviceNameOf,
  SystemdError,
  UnitFile,
} from "../../src/index.ts";

test("each kind gives its service", () => {
  const cases = {
    "web.container": "web.service",
    "web@.container": "web@.service",
    "web@1.container": "web@1.service",
    "a.volume": "a-volume.service",
    "a@.volume": "a@-volume.service",
    "a.network": "a-network.service",
    "a.pod": "a-pod.service",
    "a.image": "a-image.service",
    "a.build": "a-build.service",
    "a.kube": "a.service",
    "a.timer": "a.timer",
  };
  for (const [name, service] of Object.entries(cases)) assert.equal(serviceNameOf(name), service);
  const named = UnitFile.parse('[Volume]\nServiceName="data"\n');
  assert.equal(serviceNameOf("a.volume", named), "data.service");
  assert.equal(serviceNameOf("a.container", named), "a.service");
  assert.throws(() => serviceNameOf("a.volume", UnitFile.parse("[Volume]\nServiceName=a b\n")), SystemdError);
});

const WEB = UnitFile.parse(`[Container]
Image="page.build"
Pod=site.pod
Network=old.network
Network=
Network=net.network:ip=10.0.0.2
Network=other.container
Network=host
Volume=data.volume:/data:ro
Volume=/srv/x.volume:/x
Volume=named:/y
Mount=type=volume,source=more.volume,destination=/m
Mount=type=image,src=tool.image,destination=/t
Mount=type=image,source=docker.io/library/x:1,destination=/i
Mount=type=tmpfs,src=no.volume,destination=/n
PublishPort=127.0.0.1:8080:80
PublishPort=53/udp
`);

test("references to other files are found with the place that makes them", () => {
  const found = quadletReferences("web.container", WEB).map(
    ({ target, position }) => `${target} ${position.line}`,
  );
  assert.deepEqual(found, [
    "page.build 2",
    "data.volume 9",
    "net.network 6",
    "other.container 7",
    "site.pod 3",
    "more.volume 12",
    "tool.image 13",
  ]);
  const image = UnitFile.parse("[Volume]\nDriver=image\nImage=a.image\n");
  assert.deepEqual(
    quadletReferences("a.volume", image).map(({ target }) => target),
    ["a.image"],
  );
  assert.deepEqual(quadletReferences("a.volume", image.remove("Volume", "Driver")), []);
  assert.deepEqual(quadletReferences("a.service", WEB), []);
});

test("images are those that the file names itself", () => {
  assert.deepEqual(imagesUsed("web.container", WEB), [
    { image: "docker.io/library/x:1", position: { line: 14, column: 7 } },
  ]);
  const file = UnitFile.parse('[Image]\nImage="quay.io/a/b"\nImageTag=localhost/b\n');
  assert.deepEqual(
    imagesUsed("b.image", file).map(({ image }) => image),
    ["quay.io/a/b"],
  );
  assert.equal(imageProvided("b.image", file), "localhost/b");
  assert.equal(imageProvided("b.image", file.remove("Image", "ImageTag")), "quay.io/a/b");
  assert.equal(imageProvided("b.build", UnitFile.parse("[Build]\nImageTag=localhost/c\n")), "localhost/c");
});

test("published ports", () => {
  const port = (
    hostIp: string | undefined,
    host: [number, number] | undefined,
    [first, last]: [number, number],
    protocol: string,
  ) => ({
    hostIp,
    hostPorts: host && { first: host[0], last: host[1] },
    containerPorts: { first, last },
    protocol,
  });
  const cases: [text: string, expected: unknown][] = [
    ["80", port(undefined, undefined, [80, 80], "tcp")],
    ["8080:80", port(undefined, [8080, 8080], [80, 80], "tcp")],
    ["127.0.0.1:8080:80/UDP", port("127.0.0.1", [8080, 8080], [80, 80], "udp")],
    ["127.0.0.1::80", port("127.0.0.1", undefined, [80, 80], "tcp")],
    ["[::1]:8000-8010:9000-9010/sctp", port("::1", [8000, 8010], [9000, 9010], "sctp")],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parsePublishedPort(text), expected, text);
  for (const text of [
    "",
    "x",
    "0:80",
    "80:65536",
    "1-2:3",
    "::1:80:80",
    "300.1.1.1:80:80",
    "80/icmp",
    "80:",
    "1:2:3:4",
    "9-8",
  ]) {
    assert.throws(() => parsePublishedPort(text), SystemdError, text);
  }
  assert.deepEqual(
    publishedPorts(WEB).map(({ position }) => position.line),
    [16, 17],
  );
  const template = UnitFile.parse("[Container]\nPublishPort=80%i:80\n");
  assert.throws(() => publishedPorts(template), SystemdError);
  const [expanded] = publishedPorts(template, (value) => value.replace("%i", "1"));
  assert.deepEqual(expanded?.hostPorts, { first: 801, last: 801 });
});

test("what podman would refuse is found, with the nearest name", () => {
  const lint = (name: string, text: string): string[] =>
    lintQuadlet(name, UnitFile.parse(text)).map(
      ({ severity, message, position }) => `${severity} ${position.line}:${position.column} ${message}`,
    );
  assert.deepEqual(
    lint(
      "a.container",
      "[Container]\nImage=x\nPublshPort=80\n[Servce]\nRestart=no\n[X-Fleet]\nGlobal=true\n",
    ),
    [
      "error 3:1 podman knows no PublshPort= in [Container]; did you mean PublishPort=?",
      "warning 4:1 the section [Servce] means nothing in a .container file; did you mean [Service]?",
    ],
  );
  assert.deepEqual(lint("a.container", "[Container]\nImage=a\nRootfs=/b\n"), [
    "error 1:1 [Container] takes only one of Image= and Rootfs=",
  ]);
  assert.deepEqual(
    lint("a.container", "[Container]\nImage=a\nExec=b \\\n\nUser=1\nPublishPort=%i\nPublishPort=zz\n"),
    [
      "warning 3:1 an empty line follows a backslash: podman joins the line after it to this value, systemd does not",
      'error 7:13 PublishPort: "zz" is no published port: "zz" is no port from 1 to 65535',
    ],
  );
  const needs: [name: string, text: string, need: RegExp][] = [
    ["a.container", "", /needs Image= or Rootfs=/],
    ["a.image", "[Image]\n", /needs Image=/],
    ["a.kube", "[Kube]\n", /needs Yaml=/],
    ["a.build", "[Build]\nFile=x\n", /needs ImageTag=/],
    ["a.build", "[Build]\nImageTag=x\n", /needs File= or SetWorkingDirectory=/],
    ["a.network", "[Network]\nGateway=10.0.0.1\n", /needs Subnet=/],
    ["a.volume", "[Volume]\nDriver=image\n", /needs Image=/],
  ];
  for (const [name, text, need] of needs) assert.match(lint(name, text).join(), need);
  for (const [name, text] of [
    ["a.pod", ""],
    ["a.volume", ""],
    ["a.network", ""],
    ["a.service", "[Foo]\n"],
  ] as const) {
    assert.deepEqual(lint(name, text), []);
  }
});

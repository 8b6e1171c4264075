import assert from "node:assert/strict";
import { test } from "node:test";
import { readUnitFile, withTag } from "../../src/agent/unit-file-facts.ts";

test("reads what must be there before a container starts, and what to report of it", () => {
  const body = `[Container]
Image=localhost/web
Network=app.network
Volume=data.volume:/data
PublishPort=80%i:80
PublishPort=127.0.0.1:9000-9001:9000-9001
HealthCmd=true
`;
  const facts = readUnitFile("web@81.container", body);
  assert.equal(facts.service, "web@81.service");
  assert.deepEqual(facts.images, ["localhost/web:latest"]);
  assert.deepEqual(facts.references, ["data.volume", "app.network"]);
  assert.deepEqual(facts.fixedPorts, [
    { address: "", port: 8081 },
    { address: "127.0.0.1", port: 9000 },
    { address: "127.0.0.1", port: 9001 },
  ]);
  assert.equal(facts.hasChosenPorts, false);
  assert.equal(facts.hasHealthCheck, true);
  assert.equal(facts.isContainer, true);
});

test("a port without a host port is podman's to choose", () => {
  assert.equal(readUnitFile("a.container", "[Container]\nImage=x\nPublishPort=80\n").hasChosenPorts, true);
  assert.equal(
    readUnitFile("a.service", "[Service]\nExecStart=/usr/bin/docker run x\n").mentionsContainers,
    true,
  );
});

test("an image without a tag means latest", () => {
  assert.equal(withTag("registry:5000/a"), "registry:5000/a:latest");
  assert.equal(withTag("a:1"), "a:1");
  assert.equal(withTag("a@sha256:0"), "a@sha256:0");
});

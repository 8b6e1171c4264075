import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { networkProof, saysLost, seekProof } from "../../src/agent/proof.ts";
import type { Member } from "../../src/model/machine.ts";
import { machineId } from "../registry/records.ts";

const signal = new AbortController().signal;
const member = (port: number): Member => ({
  id: machineId(2),
  name: "m2",
  address: "127.0.0.1",
  apiPort: port,
  joined: 1,
});

async function serving(answer: string) {
  const server = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  await using server = await serving("");
  return server.port;
}

describe("networkProof", () => {
  test("a store that resets connections does not run; one that accepts them may", async () => {
    await using server = await serving("");
    const closed = await closedPort();
    assert.equal(await networkProof(() => [`http://127.0.0.1:${closed}`]).storeRefuses(signal), true);
    const both = [`http://127.0.0.1:${closed}`, `http://127.0.0.1:${server.port}`];
    assert.equal(await networkProof(() => both).storeRefuses(signal), false);
  });

  test("a member is lost only when it says so itself", async () => {
    const lost = JSON.stringify({ machine: machineId(2), hasContact: false, ageMs: 3000 });
    await using lostOne = await serving(lost);
    await using wellOne = await serving(lost.replace("false", "true"));
    const proof = networkProof(() => []);
    assert.equal(await proof.memberIsLost(member(lostOne.port), signal), true);
    assert.equal(await proof.memberIsLost(member(wellOne.port), signal), false);
    assert.equal(await proof.memberIsLost(member(await closedPort()), signal), false);
    assert.equal(saysLost(lost, machineId(3)), false);
    assert.equal(saysLost("{", machineId(2)), false);
  });
});

describe("seekProof", () => {
  const sources = (refuses: boolean, lost: boolean) => ({
    storeRefuses: () => Promise.resolve(refuses),
    memberIsLost: () => Promise.resolve(lost),
  });

  test("members that were never known prove nothing", async () => {
    assert.equal(await seekProof(sources(false, true), undefined, signal), undefined);
    assert.match((await seekProof(sources(false, true), [member(1)], signal)) ?? "", /no other member/);
    assert.match((await seekProof(sources(true, false), [member(1)], signal)) ?? "", /does not run/);
    assert.equal(await seekProof(sources(false, false), [member(1)], signal), undefined);
  });
});

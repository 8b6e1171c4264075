// grpc.health.v1 on a real etcd and on the embedded server, as a probe asks for it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { RawClient } from "./support/raw-client.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";

const tools = await etcd35();

describe("health is told as etcd tells it", { skip: "unavailable" in tools && tools.unavailable }, () => {
  it("of the server, of services that there are not, and where users are asked for", async () => {
    assert.ok(!("unavailable" in tools));
    await using real = await realEtcd(tools.etcd);
    await using ours = await embedded();
    const answers = [];
    for (const { address } of [real, ours]) answers.push(await asked(address));
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[0]?.[0], { hex: "0801" });
  });
});

type Told = { readonly hex: string } | { readonly code: number; readonly words: string };

async function asked(address: string): Promise<readonly Told[]> {
  using raw = new RawClient(address);
  const client = new Client(address, credentials.createInsecure());
  const services = ["", "etcdserverpb.KV", "nothing"];
  const told: Told[] = [];
  try {
    for (const service of services) told.push(await check(client, service), await watched(client, service));
    await raw.call(Auth.method.userAdd, { name: "root", password: "secret" });
    await raw.call(Auth.method.userGrantRole, { user: "root", role: "root" });
    await raw.call(Auth.method.authEnable, {});
    told.push(await check(client, ""), await watched(client, ""));
  } finally {
    client.close();
  }
  return told;
}

const same = (bytes: Buffer): Buffer => bytes;
const within = (): { deadline: number } => ({ deadline: Date.now() + 20_000 });

function check(client: Client, service: string): Promise<Told> {
  const path = "/grpc.health.v1.Health/Check";
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, request(service), within(), (error, answer) => {
      resolve(error === null ? { hex: answer?.toString("hex") ?? "" } : refused(error));
    });
  });
}

/** The first thing that a watch says. */
function watched(client: Client, service: string): Promise<Told> {
  const path = "/grpc.health.v1.Health/Watch";
  return new Promise((resolve) => {
    const stream = client.makeServerStreamRequest(path, same, same, request(service), within());
    stream.once("data", (answer: Buffer) => {
      resolve({ hex: answer.toString("hex") });
      stream.cancel();
    });
    stream.on("error", (error: ServiceError) => resolve(refused(error)));
  });
}

function request(service: string): Buffer {
  return service === "" ? Buffer.alloc(0) : Buffer.from([0x0a, service.length, ...Buffer.from(service)]);
}

function refused({ code, details }: ServiceError): Told {
  return { code, words: details };
}

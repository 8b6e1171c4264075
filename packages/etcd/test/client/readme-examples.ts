// The examples of the README, word for word, so that the compiler and a store have seen them.
import { readFile } from "node:fs/promises";
import { Election, EtcdClient, EtcdError, EtcdServer, LeaseKeeper, compare, op } from "@keelson/etcd";

/** Runs the examples in `dataDir`. */
export async function runExamples(dataDir: string): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  const stopped = new AbortController();

  // example: server
  await using server = await EtcdServer.start({
    dataDir,
    listen: [{ host: "127.0.0.1", port: 0 }],
  });
  const { host, port } = server.addresses[0]!;
  // end

  // example: client
  await using client = new EtcdClient({ endpoints: [`http://${host}:${port}`] });
  await client.put("motd", "hello");
  const motd = await client.get("motd");
  console.log(Buffer.from(motd!.value).toString(), motd!.modRevision);
  const { kvs, revision } = await client.range({ prefix: "units/" });
  // end

  // example: txn
  const { succeeded } = await client.txn({
    compare: [compare.modRevision("motd", "=", motd!.modRevision)],
    success: [op.put("motd", "good evening"), op.delete({ key: "old-motd" })],
    failure: [op.get({ key: "motd" })],
  });
  // end

  setTimeout(() => void client.put("units/web", "on", { idempotent: true }), 50).unref();
  // example: watch
  try {
    for await (const batch of client.watch({ prefix: "units/" }, { startRevision: revision + 1, signal })) {
      for (const event of batch.events) console.log(event.type, event.kv.key, batch.revision);
      break;
    }
  } catch (error) {
    if (!(error instanceof EtcdError) || error.code !== "COMPACTED") throw error;
    console.log("read everything again; the history begins at", error.compactRevision);
  }
  // end

  // example: lease
  const granted = Promise.withResolvers<bigint>();
  await using keeper = new LeaseKeeper({
    client,
    ttlSeconds: 10,
    onEvent(event) {
      switch (event.type) {
        case "granted":
          granted.resolve(event.lease); // hang the keys on the lease (again)
          break;
        case "renewed": // safe until event.renewedAtMs + event.ttlSeconds * 1000
        case "lost": // the keys are gone; "granted" follows
        case "unreachable": // event.reason: "refused" or "timeout"
          break;
      }
    },
  });
  await client.put("machines/a", "here", { lease: await granted.promise });
  // end

  // example: election
  const election = new Election(client, "leader");
  await using leadership = await election.campaign({ lease: keeper.lease!, value: "a", signal });
  leadership.lost.addEventListener("abort", () => stopped.abort());
  await client.txn({ compare: leadership.fence(), success: [op.put("orders/1", "go")] });
  await leadership.resign();
  // end

  if (!succeeded || kvs.length !== 0 || !stopped.signal.aborted) throw new Error("an example went wrong");
}

/** What needs certificates and is shown only; the suite over TLS does the same. */
export async function secured(password: string): Promise<void> {
  // example: secured
  await using secured = new EtcdClient({
    endpoints: ["https://store-1.example:2379", "https://store-2.example:2379"],
    tls: async () => ({
      ca: await readFile("store-ca.pem"),
      cert: await readFile("client.pem"),
      key: await readFile("client.key"),
    }),
    auth: { username: "web", password },
  });
  // end
  await secured.get("motd");
}

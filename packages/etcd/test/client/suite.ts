// What the client promises, whatever store it talks to. Each store that Keelson knows passes all of it.
import { after, before, describe } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import { crashCases } from "./crash-cases.ts";
import { electionCases } from "./election-cases.ts";
import { PATIENCE_MS } from "./expect.ts";
import { networkFaultCases } from "./fault-cases.ts";
import { kvCases } from "./kv-cases.ts";
import { leaseCases } from "./lease-cases.ts";
import { maintenanceCases } from "./maintenance-cases.ts";
import type { TestStore } from "./test-store.ts";
import { watchCases } from "./watch-cases.ts";

/** Runs the suite on stores made by `start`; `skip` says why they cannot be had here. */
export function clientSuite(
  name: string,
  start: () => Promise<TestStore>,
  skip: string | false = false,
): void {
  describe(`the client with ${name}`, { skip }, () => {
    let store: TestStore;
    let client: EtcdClient;
    before(async () => {
      store = await start();
      client = new EtcdClient({
        ...store.access,
        endpoints: [`127.0.0.1:${store.port}`],
        deadlineMs: PATIENCE_MS,
      });
    });
    after(async () => {
      await client?.[Symbol.asyncDispose]();
      await store?.[Symbol.asyncDispose]();
    });
    describe("at work", { concurrency: true }, () => {
      kvCases(() => client);
      watchCases(() => client);
      electionCases(() => client);
    });
    maintenanceCases(() => client);
    // These take seconds, but mostly wait.
    describe("over time", { concurrency: true }, () => {
      leaseCases(() => client);
      networkFaultCases(
        () => store,
        () => client,
      );
      crashCases(start);
    });
  });
}

// The update server as it is: HTTP, the ledger with its policy, the log on the disk. Arguments: the folder of its
// log, how many machines it knows already, and the policy: `current` (nothing is newer than what they have) or
// `waiting` (ten may update at a time). Prints its port.
import { readRequest } from "@keelson/omaha";
import type { OmahaApp } from "@keelson/omaha";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { LedgerDecider } from "../../packages/keelson/src/update-server/ledger-decider.ts";
import { EntryLog } from "../../packages/keelson/src/update-server/log/entry-log.ts";
import { UpdateEndpoint } from "../../packages/keelson/src/update-server/update-endpoint.ts";
import { checkOf, numbered } from "./check.ts";
import { configurationFor } from "./configuration.ts";

const [path = "", known = "0", policy = "current"] = process.argv.slice(2);
const request = readRequest(checkOf(0));
const [app] = request.apps as [OmahaApp];
const decider = new LedgerDecider({
  configuration: configurationFor(app, policy === "waiting" ? 10 : undefined),
  payloads: "http://127.0.0.1/v1/payloads",
});
const entries = await EntryLog.open({ path, folds: [decider] });
// Seen some time ago, so that each of them has something new to say.
const earlier = Date.now() - 3_600_000;
for (let machine = 0; machine < Number(known); machine++)
  decider.decide({ app: numbered(app, machine), request, client: { address: "127.0.0.1" } }, earlier);
const endpoint = new UpdateEndpoint({ decider, entries, clock: systemClock, log: silentLog });
console.log(await endpoint.listen(0, "127.0.0.1"));

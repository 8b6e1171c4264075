// The update server as it is, with the least that can decide. Argument: the folder of its log. Prints its port.
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { EntryLog } from "../../packages/keelson/src/update-server/log/entry-log.ts";
import { UpdateEndpoint } from "../../packages/keelson/src/update-server/update-endpoint.ts";
import { Fleet } from "./fleet.ts";

const fleet = new Fleet();
const entries = await EntryLog.open({ path: process.argv[2] ?? "", folds: [fleet] });
const endpoint = new UpdateEndpoint({ decider: fleet, entries, clock: systemClock, log: silentLog });
console.log(await endpoint.listen(0, "127.0.0.1"));

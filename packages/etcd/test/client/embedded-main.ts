// Runs the embedded server until it is killed: embedded-main.ts OPTIONS, as JSON.
import { EtcdServer } from "../../src/server/index.ts";
import type { EtcdServerOptions } from "../../src/server/index.ts";

const [options] = process.argv.slice(2);
if (options === undefined) throw new Error("usage: embedded-main.ts OPTIONS");
await EtcdServer.start(JSON.parse(options) as EtcdServerOptions);

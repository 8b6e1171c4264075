// Runs the embedded server until it is killed: embedded-main.ts DIRECTORY PORT
import { EtcdServer } from "../../src/server/index.ts";

const [dataDir, port] = process.argv.slice(2);
if (dataDir === undefined || port === undefined) throw new Error("usage: embedded-main.ts DIRECTORY PORT");
await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: Number(port) }] });

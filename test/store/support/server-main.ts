// The embedded server as a process that can be killed: DIRECTORY PORT [SNAPSHOT_COUNT]. Says "ready" when it serves.
import { EtcdServer } from "../../../packages/etcd/src/server/index.ts";

const [, , dataDir = "", port = "0", snapshotCount = "100000"] = process.argv;
await EtcdServer.start({
  dataDir,
  listen: [{ host: "127.0.0.1", port: Number(port) }],
  limits: { snapshotCount: Number(snapshotCount) },
  log: (level, message, fields) => console.error(level, message, JSON.stringify(fields ?? {})),
});
console.log("ready");

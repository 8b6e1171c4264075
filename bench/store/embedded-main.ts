// The embedded server as a process: DIRECTORY PORT [CERTIFICATE KEY].
import { EtcdServer } from "../../packages/etcd/src/server/index.ts";

const [, , dataDir = "", port = "0", certificate] = process.argv;
if (certificate !== undefined) throw new Error("the embedded server does not speak TLS");
await EtcdServer.start({
  dataDir,
  listen: [{ host: "127.0.0.1", port: Number(port) }],
  log: (level, message, fields) => {
    if (level === "warn" || level === "error") console.error(level, message, JSON.stringify(fields ?? {}));
  },
});

// The embedded server as a process: DIRECTORY PORT [CERTIFICATE KEY].
import { EtcdServer } from "../../packages/etcd/src/server/index.ts";

const [, , dataDir = "", port = "0", certFile, keyFile = ""] = process.argv;
const tls = certFile === undefined ? undefined : { certFile, keyFile };
await EtcdServer.start({
  dataDir,
  listen: [{ host: "127.0.0.1", port: Number(port), tls }],
  log: (level, message, fields) => {
    if (level === "warn" || level === "error") console.error(level, message, JSON.stringify(fields ?? {}));
  },
});

// What anyone would write: a web framework and a database, one transaction for each check, on the disk before the
// answer (WAL, synchronous=FULL). It reads and prints messages with our own package, which is not what it is
// measured for. Argument: the database's file. Prints its port.
import { serve } from "@hono/node-server";
import { answerTo, printResponse, readRequest } from "@keelson/omaha";
import { Hono } from "hono";
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2] ?? "");
database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE machine (id TEXT PRIMARY KEY, version TEXT, seen INTEGER, address TEXT) WITHOUT ROWID;
  CREATE TABLE policy (track TEXT PRIMARY KEY, version TEXT);`);
const policy = database.prepare("SELECT version FROM policy WHERE track = ?");
const see = database.prepare(
  "INSERT INTO machine VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version, seen = excluded.seen, address = excluded.address",
);

const app = new Hono();
app.post("/v1/update/", async (context) => {
  const request = readRequest(new Uint8Array(await context.req.arrayBuffer()));
  database.exec("BEGIN IMMEDIATE");
  const apps = request.apps.map((app) => {
    policy.get(app.track ?? "");
    see.run(app.machineId ?? "", app.version ?? "", Date.now(), "127.0.0.1");
    return answerTo(app);
  });
  database.exec("COMMIT");
  return context.body(printResponse({ protocol: "3.0", apps }), 200, { "Content-Type": "text/xml" });
});
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
  console.log(port);
});

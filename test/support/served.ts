// What servers on machines have to say, as soon as they do.
import { connect } from "node:net";
import { patiently } from "./patiently.ts";

/** The page at a URL. */
export function page(url: string): Promise<string> {
  return patiently(async () => await (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text());
}

/** The first bytes that a server sends. */
export function greeting(host: string, port: number): Promise<string> {
  return patiently(() => firstBytes(host, port));
}

function firstBytes(host: string, port: number): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect({ host, port, timeout: 5000 });
    socket.once("data", (bytes) => {
      socket.destroy();
      done(bytes.toString());
    });
    socket.once("timeout", () => socket.destroy(new Error("it sends nothing")));
    socket.once("error", fail);
    socket.once("end", () => fail(new Error("it hung up")));
  });
}

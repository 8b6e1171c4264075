// Machines that check, from a process of their own: one request at a time on each of many connections. Arguments:
// port, connections, requests, requests a second (0: as many as go), machines. Prints what it saw as JSON.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { checkOf } from "./check.ts";

const [port = 0, connections = 0, requests = 0, perSecond = 0, machines = 1] = process.argv
  .slice(2)
  .map(Number);
const bodies = Array.from({ length: Math.min(machines, 20_000) }, (_, place) => {
  const body = Buffer.from(checkOf(place));
  const head = `POST /v1/update/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: update_engine\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
});
const latencies = new Float64Array(requests);
let sent = 0;
let answered = 0;
let refused = 0;
const began = performance.now();

function machine(socket: Socket, done: () => void): void {
  let text = "";
  let startedMs = 0;
  const next = (): void => {
    if (sent >= requests) return done();
    const place = sent++;
    const send = (): void => {
      startedMs = performance.now();
      socket.write(bodies[place % bodies.length] as Buffer);
    };
    const waitMs = perSecond === 0 ? 0 : began + (place * 1000) / perSecond - performance.now();
    if (waitMs > 1) setTimeout(send, waitMs);
    else send();
  };
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
    const head = text.indexOf("\r\n\r\n");
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
    if (head === -1 || length === undefined || text.length < head + 4 + Number(length)) return;
    if (!text.startsWith("HTTP/1.1 200")) refused++;
    text = "";
    latencies[answered++] = performance.now() - startedMs;
    next();
  });
  next();
}

await Promise.all(
  Array.from({ length: connections }, async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    await new Promise<void>((resolve, reject) => {
      socket.once("close", () => reject(new Error("the server closed a connection")));
      machine(socket, resolve);
    });
    socket.removeAllListeners("close").destroy();
  }),
);
const seconds = (performance.now() - began) / 1000;
const sorted = latencies.subarray(0, answered).toSorted();
const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
console.log(JSON.stringify({ answered, refused, seconds, p50: at(0.5), p99: at(0.99) }));

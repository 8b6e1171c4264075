import type { RequestListener } from "node:http";
import type { Duplex } from "node:stream";

/** Requests that may wait on a connection. */
const MOST_WAITING = 1000;

/**
 * Begins a request when the one before it on its connection has its answer, as HTTP servers of Go do. Node begins all
 * that have come (pipelining), so whoever does not read could have any number of answers made; and what a client has
 * asked for that is gone is not done at all.
 */
export function inOrder(listener: RequestListener): RequestListener {
  const waiting = new WeakMap<Duplex, (() => void)[]>();
  return (request, response) => {
    const { socket } = request;
    const begin = (): void => {
      response.once("close", () => {
        const next = socket.destroyed ? undefined : waiting.get(socket)?.shift();
        if (next === undefined) waiting.delete(socket);
        else next();
      });
      listener(request, response);
    };
    const line = waiting.get(socket);
    if (line === undefined) {
      waiting.set(socket, []);
      begin();
    } else if (line.push(begin) > MOST_WAITING) socket.destroy();
  };
}

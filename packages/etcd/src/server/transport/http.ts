import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** Answers a request of HTTP/1.1. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** Handlers by path. What no path names is not found. */
export type HttpTable = ReadonlyMap<string, HttpHandler>;

/** Serves a table of paths. */
export function httpListener(table: HttpTable): RequestListener {
  return (request, response) => {
    const url = URL.canParse(request.url ?? "/", "http://server")
      ? new URL(request.url ?? "/", "http://server")
      : undefined;
    const handler = url === undefined ? undefined : table.get(url.pathname);
    if (url === undefined || handler === undefined) return send(response, 404, "404 page not found\n");
    handler(request, response, url);
  };
}

/** Sends a whole answer as text. */
export function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": type, "x-content-type-options": "nosniff" });
  response.end(body);
}

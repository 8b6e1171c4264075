import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** Answers a request of HTTP/1.1. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** Handlers by path; a path that ends in "/" stands for all below it. What no path names is not found. */
export type HttpTable = ReadonlyMap<string, HttpHandler>;

/** Serves a table of paths. The longest that fits counts. */
export function httpListener(table: HttpTable): RequestListener {
  return (request, response) => {
    const url = URL.canParse(request.url ?? "/", "http://server")
      ? new URL(request.url ?? "/", "http://server")
      : undefined;
    const handler = url === undefined ? undefined : handlerOf(table, url.pathname);
    if (url === undefined || handler === undefined) return send(response, 404, "404 page not found\n");
    handler(request, response, url);
  };
}

function handlerOf(table: HttpTable, path: string): HttpHandler | undefined {
  const exact = table.get(path);
  if (exact !== undefined) return exact;
  for (let end = path.lastIndexOf("/"); end >= 0; end = path.lastIndexOf("/", end - 1)) {
    const handler = table.get(path.slice(0, end + 1));
    if (handler !== undefined) return handler;
    if (end === 0) break;
  }
  return undefined;
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

import type { IncomingMessage, ServerResponse } from "node:http";
import { send } from "../transport/http.ts";

/** Whether a page is only asked for. If not, the request is refused. */
export function isRead(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method === "GET") return true;
  response.setHeader("allow", "GET");
  send(response, 405, "Method Not Allowed\n");
  return false;
}

// A request from its document: strict on structure, tolerant on what real clients send (ids with and without
// braces, empty and unknown attributes in any order, unknown elements).
import { readFields, refuse } from "./fields.ts";
import { requestLimits } from "./limits.ts";
import type { MessageLimits } from "./limits.ts";
import { eventsOf, readMessage } from "./read-message.ts";
import { appFields, eventFields, osFields, pingFields, requestFields, updateCheckFields } from "./request.ts";
import type { OmahaApp, OmahaEvent, OmahaRequest } from "./request.ts";
import { child } from "./xml/element.ts";
import type { Element } from "./xml/element.ts";

/**
 * Reads a request. Of `os`, `ping` and `updatecheck` the first counts. Throws OmahaError with a code that says
 * what is wrong, and its position.
 */
export function readRequest(
  source: string | Uint8Array,
  limits: MessageLimits = requestLimits,
): OmahaRequest {
  const { root, apps, text } = readMessage(source, "request", limits);
  const request = readFields(root, requestFields, text);
  const os = child(root, "os");
  if (os) request["os"] = readFields(os, osFields, text);
  request["apps"] = apps.map((app) => readApp(app, text, limits));
  return request as unknown as OmahaRequest;
}

function readApp(element: Element, text: string, limits: MessageLimits): OmahaApp {
  const app = readFields(element, appFields, text);
  if (app["id"] === undefined || app["id"] === "") refuse(element, text, "an application without appid");
  const ping = child(element, "ping");
  if (ping) app["ping"] = readFields(ping, pingFields, text);
  const updateCheck = child(element, "updatecheck");
  if (updateCheck) app["updateCheck"] = readFields(updateCheck, updateCheckFields, text);
  app["events"] = eventsOf(element, text, limits).map((event) => readEvent(event, text));
  return app as unknown as OmahaApp;
}

function readEvent(element: Element, text: string): OmahaEvent {
  // A type or a result that is missing is 0, unknown and error.
  return { type: 0, result: 0, ...readFields(element, eventFields, text) };
}

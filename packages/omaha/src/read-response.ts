// A response from its document. Structure is checked as in requests; whether update_engine would take it is for
// `readAsUpdateEngine` to say, since a client must also be able to read an answer that others refuse.
import { readFields, refuse } from "./fields.ts";
import type { Fields, Filling } from "./fields.ts";
import { responseLimits } from "./limits.ts";
import type { MessageLimits } from "./limits.ts";
import { eventsOf, readMessage } from "./read-message.ts";
import {
  acknowledgementFields,
  actionFields,
  appAnswerFields,
  dayStartFields,
  manifestFields,
  packageFields,
  responseFields,
  updateAnswerFields,
  urlFields,
} from "./response.ts";
import type { OmahaResponse } from "./response.ts";
import { child, children } from "./xml/element.ts";
import type { Element } from "./xml/element.ts";

/**
 * Reads a response. Of `daystart`, `ping`, `updatecheck`, `urls`, `packages` and `actions` the first counts.
 * Throws OmahaError with a code that says what is wrong, and its position.
 */
export function readResponse(
  source: string | Uint8Array,
  limits: MessageLimits = responseLimits,
): OmahaResponse {
  const { root, apps, text } = readMessage(source, "response", limits);
  const response = readFields(root, responseFields, text);
  const dayStart = child(root, "daystart");
  if (dayStart) response["dayStart"] = readFields(dayStart, dayStartFields, text);
  response["apps"] = apps.map((app) => readApp(app, text, limits));
  return response as unknown as OmahaResponse;
}

function readApp(element: Element, text: string, limits: MessageLimits): Filling {
  const app = readFields(element, appAnswerFields, text);
  if (app["id"] === undefined || app["id"] === "") refuse(element, text, "an application without appid");
  const ping = child(element, "ping");
  if (ping) app["ping"] = readFields(ping, acknowledgementFields, text);
  const updateCheck = child(element, "updatecheck");
  if (updateCheck) app["updateCheck"] = readUpdateCheck(updateCheck, text);
  app["events"] = readAll(eventsOf(element, text, limits), acknowledgementFields, text);
  return app;
}

function readUpdateCheck(element: Element, text: string): Filling {
  const answer = readFields(element, updateAnswerFields, text);
  answer["urls"] = readAll(within(element, "urls", "url"), urlFields, text);
  answer["manifests"] = children(element, "manifest").map((manifest) => {
    const filling = readFields(manifest, manifestFields, text);
    filling["packages"] = readAll(within(manifest, "packages", "package"), packageFields, text);
    filling["actions"] = readAll(within(manifest, "actions", "action"), actionFields, text);
    return filling;
  });
  return answer;
}

function readAll<T>(elements: readonly Element[], table: Fields<T>, text: string): readonly Filling[] {
  return elements.map((element) => readFields(element, table, text));
}

/** The children of an element's list. */
function within(element: Element, list: string, name: string): readonly Element[] {
  const found = child(element, list);
  return found ? children(found, name) : [];
}

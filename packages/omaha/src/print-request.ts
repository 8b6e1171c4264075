// A request's document, byte for byte as update_engine writes it: indented by four, every element with an end
// tag, a blank before the > of <app>.
import { printFields } from "./fields.ts";
import { appFields, eventFields, osFields, pingFields, requestFields, updateCheckFields } from "./request.ts";
import type { OmahaApp, OmahaRequest } from "./request.ts";

/** ASCII. Throws OmahaError `BAD_VALUE` for a value that XML cannot carry, or a number that is not whole. */
export function printRequest(request: OmahaRequest): string {
  let text = `<?xml version="1.0" encoding="UTF-8"?>\n<request${printFields(request, requestFields)}>\n`;
  if (request.os) text += `    <os${printFields(request.os, osFields)}></os>\n`;
  for (const app of request.apps) text += printApp(app);
  return `${text}</request>\n`;
}

function printApp(app: OmahaApp): string {
  const { ping, updateCheck } = app;
  let text = `    <app${printFields(app, appFields)} >\n`;
  if (ping) text += `        <ping${printFields(ping, pingFields)}></ping>\n`;
  if (updateCheck)
    text += `        <updatecheck${printFields(updateCheck, updateCheckFields)}></updatecheck>\n`;
  for (const event of app.events) text += `        <event${printFields(event, eventFields)}></event>\n`;
  return `${text}    </app>\n`;
}

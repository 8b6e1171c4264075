// A response's document as Nebraska writes it, whose answers update_engine is known to take: no white space, every
// element with an end tag, `<urls>` also where there are none.
import { printFields } from "./fields.ts";
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
import type { OmahaAppAnswer, OmahaManifest, OmahaResponse, OmahaUpdateAnswer } from "./response.ts";

/** ASCII. Throws OmahaError `BAD_VALUE` for a value that XML cannot carry, or a number that is not whole. */
export function printResponse(response: OmahaResponse): string {
  let text = `<?xml version="1.0" encoding="UTF-8"?>\n<response${printFields(response, responseFields)}>`;
  if (response.dayStart) text += `<daystart${printFields(response.dayStart, dayStartFields)}></daystart>`;
  for (const app of response.apps) text += printApp(app);
  return `${text}</response>`;
}

function printApp(app: OmahaAppAnswer): string {
  let text = `<app${printFields(app, appAnswerFields)}>`;
  if (app.ping) text += `<ping${printFields(app.ping, acknowledgementFields)}></ping>`;
  if (app.updateCheck) text += printUpdateCheck(app.updateCheck);
  for (const event of app.events) text += `<event${printFields(event, acknowledgementFields)}></event>`;
  return `${text}</app>`;
}

function printUpdateCheck(answer: OmahaUpdateAnswer): string {
  let text = `<updatecheck${printFields(answer, updateAnswerFields)}><urls>`;
  for (const url of answer.urls) text += `<url${printFields(url, urlFields)}></url>`;
  text += "</urls>";
  for (const manifest of answer.manifests) text += printManifest(manifest);
  return `${text}</updatecheck>`;
}

function printManifest(manifest: OmahaManifest): string {
  let text = `<manifest${printFields(manifest, manifestFields)}><packages>`;
  for (const file of manifest.packages) text += `<package${printFields(file, packageFields)}></package>`;
  text += "</packages><actions>";
  for (const action of manifest.actions) text += `<action${printFields(action, actionFields)}></action>`;
  return `${text}</actions></manifest>`;
}

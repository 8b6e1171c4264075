// The request of protocol 3.0 as update_engine sends it: strict on structure, tolerant on what real clients
// send (braces around ids, empty attributes, unknown attributes and elements).
// Source: https://github.com/google/omaha/blob/main/doc/ServerProtocolV3.md
import { readElement } from "./element.ts";
import type { Element } from "./element.ts";
import { OmahaError } from "./error.ts";

export interface OmahaEvent {
  readonly type: number;
  readonly result: number;
  readonly errorCode: number;
  readonly previousVersion: string;
}

export interface OmahaApp {
  /** As sent: an answer must echo it. */
  readonly sentId: string;
  /** Without braces and in lower case: compare this one. */
  readonly id: string;
  readonly version: string;
  readonly track: string;
  readonly machineId: string;
  readonly machineAlias: string;
  readonly bootId: string;
  readonly board: string;
  readonly oem: string;
  readonly oemVersion: string;
  readonly alephVersion: string;
  readonly deltaOkay: boolean;
  /** The application reports that it is alive. */
  readonly ping: boolean;
  /** The application asks for an update. */
  readonly updateCheck: boolean;
  readonly events: readonly OmahaEvent[];
  /** Every attribute as sent, known or not. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface OmahaRequest {
  readonly protocol: string;
  readonly updaterVersion: string;
  readonly installSource: string;
  readonly os: {
    readonly platform: string;
    readonly version: string;
    readonly servicePack: string;
    readonly arch: string;
  };
  readonly apps: readonly OmahaApp[];
}

const maxApps = 64;
const maxEvents = 256;

/** Reads a request. Throws OmahaError with a code that says what is wrong with it. */
export function readRequest(xml: string): OmahaRequest {
  const root = readElement(xml);
  if (root.name !== "request")
    throw new OmahaError("NOT_OMAHA", `the document is a <${root.name}>, not a <request>`);
  const protocol = root.attributes["protocol"] ?? "";
  if (!/^3\.[01]$/.test(protocol))
    throw new OmahaError("UNSUPPORTED_PROTOCOL", `protocol "${protocol}", not 3.0 or 3.1`);
  const os = root.children.find((child) => child.name === "os")?.attributes ?? {};
  const apps = root.children.filter((child) => child.name === "app");
  if (apps.length > maxApps)
    throw new OmahaError("TOO_LARGE", `${apps.length} applications, more than ${maxApps}`);
  return {
    protocol,
    updaterVersion: root.attributes["updaterversion"] ?? root.attributes["version"] ?? "",
    installSource: root.attributes["installsource"] ?? "",
    os: {
      platform: os["platform"] ?? "",
      version: os["version"] ?? "",
      servicePack: os["sp"] ?? "",
      arch: os["arch"] ?? "",
    },
    apps: apps.map(readApp),
  };
}

function readApp(app: Element): OmahaApp {
  const { attributes } = app;
  const sentId = attributes["appid"] ?? "";
  if (sentId === "") throw new OmahaError("BAD_VALUE", "an <app> without appid");
  const events = app.children.filter((child) => child.name === "event");
  if (events.length > maxEvents)
    throw new OmahaError("TOO_LARGE", `${events.length} events, more than ${maxEvents}`);
  return {
    sentId,
    id: withoutBraces(sentId).toLowerCase(),
    version: attributes["version"] ?? "",
    track: attributes["track"] ?? "",
    machineId: withoutBraces(attributes["machineid"] ?? ""),
    machineAlias: attributes["machinealias"] ?? "",
    bootId: withoutBraces(attributes["bootid"] ?? ""),
    board: attributes["board"] ?? "",
    oem: attributes["oem"] ?? "",
    oemVersion: attributes["oemversion"] ?? "",
    alephVersion: attributes["alephversion"] ?? "",
    deltaOkay: attributes["delta_okay"] === "true",
    ping: app.children.some((child) => child.name === "ping"),
    updateCheck: app.children.some((child) => child.name === "updatecheck"),
    events: events.map(readEvent),
    attributes,
  };
}

function readEvent({ attributes }: Element): OmahaEvent {
  return {
    type: integer(attributes, "eventtype"),
    result: integer(attributes, "eventresult"),
    errorCode: integer(attributes, "errorcode"),
    previousVersion: attributes["previousversion"] ?? "",
  };
}

/** An absent or empty number is 0, as the protocol has it; anything else must be a 32-bit one. */
function integer(attributes: Readonly<Record<string, string>>, name: string): number {
  const text = attributes[name] ?? "";
  if (text === "") return 0;
  const value = Number(text);
  if (!/^-?\d{1,10}$/.test(text) || Math.abs(value) > 0xffffffff)
    throw new OmahaError("BAD_VALUE", `${name}="${text.slice(0, 40)}" is no number`);
  return value;
}

function withoutBraces(id: string): string {
  return id.startsWith("{") && id.endsWith("}") ? id.slice(1, -1) : id;
}

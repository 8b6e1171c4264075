// `keelson:`: the cluster that the machine joins, and its updates.
import { roles as allRoles } from "../../base/configuration.ts";
import { rebootStrategies, weekdays } from "../machine-config.ts";
import type { KeelsonConfig, RebootWindow, UpdateConfig, Weekday } from "../machine-config.ts";
import type { Field } from "../reading/field.ts";
import { readHostName } from "../reading/names.ts";

/** The update server needs a section of its own, which this has not. */
const roles = allRoles.filter((role) => role !== "updates");

const sectionFields = [
  "cluster",
  "name",
  "roles",
  "endpoints",
  "discovery",
  "token",
  "address",
  "interface",
  "metadata",
  "reserve",
  "store",
  "update",
] as const;

export function readKeelson(
  section: Field,
  fleetMetadata: Readonly<Record<string, string>>,
): { readonly keelson?: KeelsonConfig; readonly update?: UpdateConfig } {
  const fields = section.fields(sectionFields);
  const update = fields.update === undefined ? undefined : readUpdate(fields.update);
  const rest = update === undefined ? {} : { update };
  const told = sectionFields.filter((name) => name !== "update" && fields[name] !== undefined);
  if (told.length === 0) return rest;
  if (fields.cluster === undefined) {
    section.error("a machine of a cluster needs `cluster`", "Add cluster: NAME.");
    return rest;
  }
  const cluster = fields.cluster.matching(
    /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/,
    "a name of a-z, 0-9 and -, at most 40 characters",
    "Take a name like prod.",
  );
  const own = fields.roles === undefined ? ["agent", "leader", "api"] : readRoles(fields.roles);
  const endpoints = (fields.endpoints?.items() ?? []).flatMap(readEndpoint);
  const discovery = readDiscovery(fields.discovery, fields.token);
  if (endpoints.length === 0 && discovery === undefined && !own.includes("store"))
    section.error(
      "the machine is not told where the store is",
      "Add `endpoints`, or `discovery`, or let it hold the store itself: roles: [store, agent, leader, api].",
    );
  const name = fields.name && readHostName(fields.name);
  const address = fields.address?.matching(
    /^(?:\$(?:private|public)_ipv4|[0-9A-Fa-f.:]{2,45})$/,
    "an IP address, or $private_ipv4",
    "Leave it out to have it found.",
  );
  const networkInterface = fields.interface?.matching(
    /^[\w.:-]{1,15}$/,
    "the name of a network interface",
    "Take a name like eth0.",
  );
  const store = fields.store === undefined ? undefined : readStore(fields.store);
  const reserve = fields.reserve === undefined ? undefined : readReserve(fields.reserve);
  if (cluster === undefined) return rest;
  const keelson: KeelsonConfig = {
    cluster,
    roles: own,
    endpoints,
    metadata: {
      ...fleetMetadata,
      ...(fields.metadata === undefined ? {} : readMetadata(fields.metadata)),
    },
    ...(name !== undefined && { name }),
    ...(discovery !== undefined && { discovery }),
    ...(address !== undefined && { address }),
    ...(networkInterface !== undefined && { interface: networkInterface }),
    ...(reserve !== undefined && { reserve }),
    ...(store !== undefined && { store }),
  };
  return { keelson, ...rest };
}

function readRoles(field: Field): readonly string[] {
  const words = field.items().flatMap((item) => item.oneOf(roles) ?? []);
  if (words.length === 0) field.error("must name at least one role", `Of: ${roles.join(", ")}.`);
  return [...new Set(words)];
}

function readEndpoint(field: Field): string[] {
  const url = field.matching(
    /^https?:\/\/(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]):\d{1,5}$/,
    "http://HOST:PORT or https://HOST:PORT",
    "Write http://10.0.0.10:2379.",
  );
  return url === undefined ? [] : [url];
}

/** `discovery` with its token in the URL, or the service's URL and `token`. */
function readDiscovery(field: Field | undefined, token: Field | undefined): string | undefined {
  const word = token?.matching(
    /^[A-Za-z0-9_-]{8,128}$/,
    "a token of discovery",
    "Take the last part of its URL.",
  );
  if (field === undefined) {
    token?.error("is a token of discovery and needs `discovery`", "Add discovery: http://HOST:PORT.");
    return undefined;
  }
  const url = field.matching(
    /^https?:\/\/(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(?::\d{1,5})?(?:\/[A-Za-z0-9_-]{1,128}){0,4}\/?$/,
    "an http or https URL",
    "Make a token with `keel discovery new`.",
  );
  if (url === undefined) return undefined;
  const plain = url.replace(/\/$/, "");
  if (word !== undefined) return `${plain}/${word}`;
  return new URL(url).pathname.length > 1
    ? plain
    : field.error("has no token", "Add token: TOKEN, or the URL with it.");
}

function readMetadata(field: Field): Record<string, string> {
  const pairs = field.entries().flatMap(([key, value]) => {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(key))
      return value.error("a name of metadata is of letters, digits, _, . and -", "Rename it.") ?? [];
    const text = value.matching(/^\P{Cc}{0,1024}$/u, "one line", "At most 1024 characters.");
    return text === undefined ? [] : [[key, text] as const];
  });
  return Object.fromEntries(pairs);
}

const units: Readonly<Record<string, number>> = { "": 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

function readReserve(field: Field): { memoryBytes?: number; cpus?: number } {
  const fields = field.fields(["memory", "cpus"]);
  const memory = fields.memory?.matching(
    /^\d{1,12}[KMG]?$/,
    "bytes, or a number with K, M or G",
    "Write 256M.",
  );
  const cpus = fields.cpus?.matching(/^\d{1,4}(?:\.\d{1,3})?$/, "a number of processors", "Write 0.5.");
  const [, number = "0", unit = ""] = /^(\d+)([KMG]?)$/.exec(memory ?? "") ?? [];
  return {
    ...(memory !== undefined && { memoryBytes: Number(number) * (units[unit] ?? 1) }),
    ...(cpus !== undefined && { cpus: Number(cpus) }),
  };
}

/** JSON of `keelson.store`, as text; what is in it is keeld's to check. */
function readStore(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return text;
  } catch {
    // Told below, without the text: it holds a key.
  }
  return field.error(
    "must be the JSON of the credential keelson.store",
    "Paste it whole, as a block after |.",
  );
}

export function readUpdate(field: Field): UpdateConfig {
  const fields = field.fields(["group", "channel", "source", "server", "reboot", "window"]);
  if (fields.source !== undefined && fields.server !== undefined)
    fields.server.error("`source` and `server` are the same", "Keep one of them.");
  const word = (of: Field | undefined): string | undefined =>
    of?.matching(/^[a-z0-9](?:[a-z0-9._-]{0,62})$/i, "a short name", "Take a name like stable.");
  const group = word(fields.group);
  const channel = word(fields.channel);
  const source = readSource(fields.source ?? fields.server);
  const reboot = fields.reboot?.oneOf(rebootStrategies);
  const window = fields.window && readWindow(fields.window);
  return {
    ...(group !== undefined && { group }),
    ...(channel !== undefined && { channel }),
    ...(source !== undefined && { source }),
    ...(reboot !== undefined && { reboot }),
    ...(window !== undefined && { window }),
  };
}

export function readSource(field: Field | undefined): string | undefined {
  return field?.matching(
    /^(?:https?:\/\/[^\s/@]{1,253}(?:\/[^\s]{0,500})?|\/[^\s]{1,500})$/,
    "an http or https URL without a password, or a folder",
    "Write https://updates.example.com/keelson.",
  );
}

/** `Sat,Sun 03:00 2h`, `03:30 90m`; in UTC. */
function readWindow(field: Field): RebootWindow | undefined {
  const text = field.text();
  return text === undefined
    ? undefined
    : (parseWindow(text) ??
        field.error(
          "must be days, a time and a length, in UTC",
          "Write `Sat,Sun 03:00 2h`, or `03:00 90m` for every day.",
        ));
}

export function parseWindow(text: string): RebootWindow | undefined {
  const [, days = "", start = "", count = "", unit] =
    /^(?:([A-Za-z]{3}(?:,[A-Za-z]{3}){0,6}) )?((?:[01]?\d|2[0-3]):[0-5]\d) (\d{1,4})([mh])$/.exec(
      text.trim(),
    ) ?? [];
  if (unit === undefined) return undefined;
  const names = days === "" ? [] : days.toLowerCase().split(",");
  const known = names.flatMap((name): Weekday[] =>
    weekdays.find((day) => day === name) ? [name as Weekday] : [],
  );
  const minutes = Number(count) * (unit === "h" ? 60 : 1);
  if (known.length !== names.length || minutes < 1 || minutes > 7 * 1440) return undefined;
  return { days: [...new Set(known)], start: start.padStart(5, "0"), minutes };
}

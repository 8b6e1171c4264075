// A Compose file as Quadlet files: one for each service, network and volume. Pure; whoever calls it reads and
// writes files. Source: compose-spec.
import { isUnitName } from "@keelson/systemd";
import { parseDocument } from "yaml";
import { KeelError } from "../../base/errors.ts";
import { readPlacement } from "../../model/placement/read-placement.ts";
import { Fields, type ImportNote, wrong } from "./fields.ts";
import { interpolate, parseEnvFile, type Variables } from "./interpolate.ts";
import { Lines } from "./lines.ts";
import { replicasOf } from "./deploy.ts";
import { containerOf, type ServiceContext } from "./service.ts";

export type { ImportNote } from "./fields.ts";
export { parseEnvFile } from "./interpolate.ts";

/** Largest Compose file, in bytes. */
export const maxComposeBytes = 1 << 20;
const maxDepth = 50;

export interface ImportRequest {
  /** For errors, and for the project's name when the file gives none. */
  readonly project: string;
  readonly variables: Variables;
  /** Profiles whose services are wanted. */
  readonly profiles: readonly string[];
  /** Put before the names of all units; empty for none. */
  readonly prefix: string;
  /** Let the services run on different machines, where they do not reach each other by name. */
  readonly apart: boolean;
  /** Reads a file beside the Compose file; undefined when it cannot be read. */
  readonly readFile: (path: string) => string | undefined;
  readonly resolve: (path: string) => string;
}

export interface GeneratedFile {
  readonly name: string;
  readonly text: string;
}

export interface Imported {
  readonly files: readonly GeneratedFile[];
  /** In the order of the file. */
  readonly notes: readonly ImportNote[];
}

/** @throws KeelError KEEL-108 with the place of what cannot be read */
export function importCompose(text: string, request: ImportRequest): Imported {
  if (Buffer.byteLength(text) > maxComposeBytes)
    throw new KeelError("KEEL-108", "the file is larger than 1 MiB");
  const notes: ImportNote[] = [];
  const root = new Fields(interpolated(parseYaml(text), request.variables, notes), "", notes);
  for (const ignored of ["version", "name"]) root.value(ignored);
  const services = enabledServices(root.inner("services"), request);
  if (services.size === 0) wrong("services", "has no service that would run");
  const project = root.text("name") ?? request.project;
  const names = new Names(project, request.prefix, services);
  const networks = root.inner("networks");
  const volumes = root.inner("volumes");
  const needsDefault = [...services.values()].some(usesDefaultNetwork);
  const files: GeneratedFile[] = [];
  const leader = request.apart ? undefined : leaderOf(services, names);
  let isBesideOthers = false;
  for (const [name, service] of services) {
    isBesideOthers ||= !names.isTemplate(name);
    const context: ServiceContext = {
      ...request,
      name,
      parseEnvFile,
      builtImage: `localhost/${project}-${name}:latest`,
      unitOf: (other) =>
        services.has(other) ? names.unit(other) : wrong(service.path, `: there is no service ${other}`),
      networkFile: (network) =>
        network === "default" || networks.keys().includes(network) ? names.network(network) : undefined,
      volumeFile: (volume) => (volumes.keys().includes(volume) ? names.volume(volume) : undefined),
      beside: isBesideOthers && names.unit(name) !== leader ? leader : undefined,
    };
    files.push({ name: names.unit(name), text: containerOf(service, context) });
  }
  for (const name of new Set([...(needsDefault ? ["default"] : []), ...networks.keys()]))
    files.push({ name: names.network(name), text: networkFile(networks.inner(name), names.project) });
  for (const name of volumes.keys()) {
    files.push({ name: names.volume(name), text: volumeFile(volumes.inner(name)) });
    volumes.note(name, "lies on the machine on which a unit uses it, and does not move with the unit");
  }
  root.noteRest();
  if (!request.apart && services.size > 1)
    notes.push({
      path: "services",
      text: "run on one machine, where they reach each other by name; --apart spreads them",
    });
  for (const { name, text: body } of files) readPlacement(name, body);
  return { files, notes };
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text, { merge: true, maxAliasCount: 100, prettyErrors: true } as object);
  const [error] = document.errors;
  if (error !== undefined) throw new KeelError("KEEL-108", error.message, { cause: error });
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new KeelError("KEEL-108", (cause as Error).message, { cause });
  }
}

function interpolated(value: unknown, variables: Variables, notes: ImportNote[]): unknown {
  const unset = (name: string): void => {
    const text = `the variable ${name} is not set: it is empty`;
    if (!notes.some((note) => note.text === text)) notes.push({ path: "", text });
  };
  const visit = (node: unknown, depth: number): unknown => {
    if (depth > maxDepth) throw new KeelError("KEEL-108", `the file is nested deeper than ${maxDepth} times`);
    if (typeof node === "string") return interpolate(node, variables, unset);
    if (Array.isArray(node)) return node.map((inner) => visit(inner, depth + 1));
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, visit(inner, depth + 1)]));
  };
  return visit(value, 0);
}

/** The services of no profile, of the wanted ones, and what those depend on. */
function enabledServices(services: Fields, { profiles }: ImportRequest): Map<string, Fields> {
  const found = new Map<string, Fields>();
  for (const name of services.keys()) {
    const service = services.inner(name);
    const own = service.texts("profiles");
    if (own.length === 0 || own.some((profile) => profiles.includes(profile))) found.set(name, service);
    else
      services.note(name, `is of the profile ${own.join(", ")} and was left out: --profile ${own[0] ?? ""}`);
  }
  return found;
}

function usesDefaultNetwork(service: Fields): boolean {
  return !service.has("networks") && !service.has("network_mode");
}

/**
 * The unit beside which the others run: the first that depends on no other, as one that waits for its neighbours would
 * keep them from their machine. Undefined when all are templates.
 */
function leaderOf(services: ReadonlyMap<string, Fields>, names: Names): string | undefined {
  const plain = [...services].filter(([name]) => !names.isTemplate(name));
  const [name] = plain.find(([, service]) => !service.has("depends_on")) ?? plain[0] ?? [];
  return name === undefined ? undefined : names.unit(name);
}

class Names {
  readonly project: string;
  readonly #prefix: string;
  readonly #templates: ReadonlySet<string>;

  constructor(project: string, prefix: string, services: ReadonlyMap<string, Fields>) {
    this.project = project;
    this.#prefix = prefix;
    this.#templates = new Set(
      [...services].filter(([, service]) => (replicasOf(service) ?? 1) !== 1).map(([name]) => name),
    );
  }

  isTemplate(service: string): boolean {
    return this.#templates.has(service);
  }

  unit(service: string): string {
    return this.#checked(`${this.#prefix}${service}${this.isTemplate(service) ? "@" : ""}.container`);
  }

  network(name: string): string {
    return this.#checked(`${this.#prefix}${name === "default" ? this.project : name}.network`);
  }

  volume(name: string): string {
    return this.#checked(`${this.#prefix}${name}.volume`);
  }

  #checked(name: string): string {
    if (isUnitName(name) && !name.includes("/")) return name;
    throw new KeelError("KEEL-108", `${JSON.stringify(name)} cannot be the name of a unit`);
  }
}

function networkFile(network: Fields, project: string): string {
  const lines = new Lines(network.path);
  lines.add("Unit", "Description", `network of ${project}, from a Compose file`);
  lines.add("Network", "NetworkName", network.text("name"));
  const driver = network.text("driver");
  if (driver !== undefined && driver !== "overlay") lines.add("Network", "Driver", driver);
  if (driver === "overlay") network.note("driver", "networks do not reach over machines: it became a bridge");
  if (network.boolean("internal")) lines.add("Network", "Internal", "true");
  if (network.boolean("enable_ipv6")) lines.add("Network", "IPv6", "true");
  if (network.boolean("external")) network.note("external", "it is made on each machine, and not looked for");
  for (const [name, value = ""] of network.pairs("driver_opts"))
    lines.add("Network", "Options", `${name}=${value}`);
  for (const [name, value = ""] of network.pairs("labels")) lines.add("Network", "Label", `${name}=${value}`);
  const ipam = network.inner("ipam");
  for (const [index, entry] of ipam.list("config").entries()) {
    const config = new Fields(entry, `${ipam.at("config")}[${index}]`, network.notes);
    lines.add("Network", "Subnet", config.text("subnet"));
    lines.add("Network", "Gateway", config.text("gateway"));
    lines.add("Network", "IPRange", config.text("ip_range"));
    config.noteRest();
  }
  if (ipam.text("driver") !== "default") ipam.value("driver");
  ipam.noteRest();
  network.noteRest();
  if (!lines.toString().includes("[Network]")) return `${lines.toString()}\n[Network]\n`;
  return lines.toString();
}

function volumeFile(volume: Fields): string {
  const lines = new Lines(volume.path);
  lines.add("Volume", "VolumeName", volume.text("name"));
  const driver = volume.text("driver");
  if (driver !== undefined) lines.add("Volume", "Driver", driver);
  const options = volume.inner("driver_opts");
  lines.add("Volume", "Type", options.text("type"));
  lines.add("Volume", "Device", options.text("device"));
  lines.add("Volume", "Options", options.text("o"));
  options.noteRest();
  if (volume.boolean("external")) volume.note("external", "it is made on each machine, and not looked for");
  for (const [name, value = ""] of volume.pairs("labels")) lines.add("Volume", "Label", `${name}=${value}`);
  volume.noteRest();
  const text = lines.toString();
  return text === "" ? "[Volume]\n" : text;
}

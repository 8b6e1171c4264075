// Ports, volumes and networks of a service.
import { literalArgument } from "@keelson/systemd";
import { replicasOf } from "./deploy.ts";
import { Fields, textOf, wrong } from "./fields.ts";
import type { Lines } from "./lines.ts";
import type { ServiceContext } from "./service.ts";

export function addPorts(service: Fields, lines: Lines): void {
  for (const [index, entry] of service.list("ports").entries()) {
    const path = `${service.at("ports")}[${index}]`;
    const port = typeof entry === "object" ? longPort(entry, service) : shortPort(entry, path);
    lines.add("Container", "PublishPort", port);
    noteSharedPort(service, index, port);
  }

  function longPort(entry: unknown, { notes }: Fields): string {
    const port = new Fields(entry, service.at("ports"), notes);
    const target = port.text("target") ?? wrong(port.path, "has a port without target");
    const published = port.text("published");
    const address = port.text("host_ip");
    const protocol = port.text("protocol");
    for (const ignored of ["mode", "name", "app_protocol"]) port.value(ignored);
    port.noteRest();
    const front = address === undefined ? "" : `${bracketed(address)}:`;
    const middle = published !== undefined ? `${published}:` : address === undefined ? "" : ":";
    return `${front}${middle}${target}${protocol === undefined ? "" : `/${protocol}`}`;
  }
}

/** Replicas with one port of the machine cannot share a machine, and nothing in the file keeps them apart. */
function noteSharedPort(service: Fields, index: number, port: string): void {
  const fixed = /(?:^|:)(\d+(?:-\d+)?):\d+(?:-\d+)?(?:\/\w+)?$/.exec(port)?.[1];
  const replicas = replicasOf(service) ?? 1;
  const most = service.inner("deploy").inner("placement").number("max_replicas_per_node");
  if (fixed === undefined || replicas <= 1 || most === 1) return;
  service.note(
    `ports[${index}]`,
    `only one of the ${replicas} replicas can have port ${fixed} of a machine: leave the machine's port out, or keep them apart with deploy.placement.max_replicas_per_node: 1`,
  );
}

function shortPort(entry: unknown, path: string): string {
  const text = textOf(entry, path);
  if (/^([\d.]+:|\[[0-9a-fA-F:]+\]:)?(\d+(-\d+)?:|:)?\d+(-\d+)?(\/(tcp|udp|sctp))?$/.test(text)) return text;
  return wrong(path, `: ${text} is no port such as 8080:80`);
}

const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

export function addMounts(service: Fields, lines: Lines, context: ServiceContext): void {
  for (const [index, entry] of service.list("volumes").entries()) {
    const path = `${service.at("volumes")}[${index}]`;
    if (typeof entry === "object") addLong(new Fields(entry, path, service.notes), lines, context);
    else addShort(textOf(entry, path), { path, service, lines, context });
  }
}

interface Mounting {
  readonly path: string;
  readonly service: Fields;
  readonly lines: Lines;
  readonly context: ServiceContext;
}

function addShort(text: string, { path, service, lines, context }: Mounting): void {
  const [first = "", second, options] = text.split(":");
  const suffix = options === undefined ? "" : `:${options}`;
  if (second === undefined) return lines.add("Container", "Volume", literalArgument(first));
  const source = sourceOf(first, { path, service, context });
  lines.add("Container", "Volume", `${source}:${literalArgument(second)}${suffix}`);
}

function addLong(mount: Fields, lines: Lines, context: ServiceContext): void {
  const type = mount.text("type") ?? "volume";
  const target = literalArgument(mount.text("target") ?? wrong(mount.path, "has no target"));
  if (type === "tmpfs") {
    const size = mount.inner("tmpfs").text("size");
    lines.add("Container", "Tmpfs", `${target}${size === undefined ? "" : `:size=${size}`}`);
  } else if (type === "volume" || type === "bind") {
    const source = mount.text("source");
    const options = [
      ...(mount.boolean("read_only") ? ["ro"] : []),
      ...(mount.inner("volume").boolean("nocopy") ? ["nocopy"] : []),
    ];
    mount.value("bind");
    const front =
      source === undefined ? "" : `${sourceOf(source, { path: mount.path, service: mount, context })}:`;
    lines.add("Container", "Volume", `${front}${target}${options.length > 0 ? `:${options.join(",")}` : ""}`);
  } else {
    mount.note("type", `${type} has no equivalent: the mount was left out`);
  }
  mount.noteRest();
}

function sourceOf(
  source: string,
  {
    path,
    service,
    context,
  }: { readonly path: string; readonly service: Fields; readonly context: ServiceContext },
): string {
  if (!/^[./~]/.test(source)) {
    return (
      context.volumeFile(source) ?? wrong(path, `names the volume ${source}, which the file does not have`)
    );
  }
  const place = source.startsWith("/") ? source : context.resolve(source);
  service.notes.push({ path, text: `${place} must be there on every machine on which the unit may run` });
  return literalArgument(place);
}

export function addNetworks(service: Fields, lines: Lines, context: ServiceContext): void {
  const mode = service.text("network_mode");
  if (mode !== undefined) {
    if (mode === "host" || mode === "none") lines.add("Container", "Network", mode);
    else service.note("network_mode", `${mode} has no equivalent and was left out`);
    return;
  }
  const value = service.value("networks");
  const isList = Array.isArray(value);
  const names = isList ? service.texts("networks") : service.inner("networks").keys();
  for (const name of names.length === 0 ? ["default"] : names) {
    const file =
      context.networkFile(name) ?? wrong(service.at("networks"), `: the file has no network ${name}`);
    const settings = isList || names.length === 0 ? undefined : service.inner("networks").inner(name);
    const address = settings?.text("ipv4_address");
    lines.add("Container", "Network", address === undefined ? file : `${file}:ip=${address}`);
    for (const alias of settings?.texts("aliases") ?? []) lines.add("Container", "NetworkAlias", alias);
    settings?.noteRest();
  }
  lines.add("Container", "NetworkAlias", context.name);
}

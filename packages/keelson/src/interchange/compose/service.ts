// One service of a Compose file as a Quadlet `.container`. Source: compose-spec, 05-services and deploy;
// podman-systemd.unit(5).
import { literalArgument, quoteArgument, quoteWord, SystemdError, splitWords } from "@keelson/systemd";
import { addDeploy } from "./deploy.ts";
import { Fields, textOf, wrong } from "./fields.ts";
import { Lines } from "./lines.ts";
import { addMounts, addNetworks, addPorts } from "./surroundings.ts";
import { memoryText, milliseconds, seconds } from "./quantities.ts";

export interface ServiceContext {
  readonly name: string;
  /** The unit of a service: `web.container`, `web@.container`. */
  readonly unitOf: (service: string) => string;
  /** The file of a network or a volume of the project; undefined for one that it does not have. */
  readonly networkFile: (name: string) => string | undefined;
  readonly volumeFile: (name: string) => string | undefined;
  /** The image, when the service builds one of its own. */
  readonly builtImage: string;
  /** Reads a file beside the Compose file; undefined when it is not there. */
  readonly readFile: (path: string) => string | undefined;
  /** The absolute path of one beside the Compose file. */
  readonly resolve: (path: string) => string;
  readonly variables: ReadonlyMap<string, string>;
  readonly parseEnvFile: (text: string) => ReadonlyMap<string, string>;
  /** The unit beside which it runs, so that they share their network; undefined when others run beside it, or all apart. */
  readonly beside: string | undefined;
}

export function containerOf(service: Fields, context: ServiceContext): string {
  const lines = new Lines(service.path);
  lines.add("Unit", "Description", `${context.name}, from a Compose file`);
  addImage(service, lines, context);
  addProcess(service, lines);
  addEnvironment(service, lines, context);
  addPorts(service, lines);
  addMounts(service, lines, context);
  addNetworks(service, lines, context);
  addSettings(service, lines);
  addHealth(service, lines);
  addDependencies(service, lines, context);
  addDeploy(service, lines, context);
  service.noteRest();
  return lines.toString();
}

/** A name without a registry means Docker's. */
export function qualifiedImage(image: string): string {
  const [first = "", ...rest] = image.split("/");
  if (rest.length > 0 && (/[.:]/.test(first) || first === "localhost")) return image;
  return rest.length > 0 ? `docker.io/${image}` : `docker.io/library/${image}`;
}

function addImage(service: Fields, lines: Lines, { builtImage }: ServiceContext): void {
  const image = service.text("image");
  if (service.has("build")) {
    const name = image ?? builtImage;
    service.note(
      "build",
      `machines do not build: build it here and hand it in with keel image load (${name})`,
    );
    lines.add("Container", "Image", name);
  } else if (image === undefined) {
    wrong(service.path, "has neither image nor build");
  } else {
    lines.add("Container", "Image", qualifiedImage(image));
  }
  const pull = service.text("pull_policy");
  if (pull === undefined) return;
  const known = new Map([
    ["always", "always"],
    ["missing", "missing"],
    ["if_not_present", "missing"],
    ["never", "never"],
  ]);
  if (known.has(pull)) lines.add("Container", "Pull", known.get(pull));
  else service.note("pull_policy", `${pull} has no equivalent and was left out`);
}

function addProcess(service: Fields, lines: Lines): void {
  const entrypoint = wordsOf(service, "entrypoint");
  const command = wordsOf(service, "command") ?? [];
  const [program, ...rest] = entrypoint ?? [];
  if (program !== undefined) lines.add("Container", "Entrypoint", literalArgument(program));
  const words = [...rest, ...command];
  if (words.length > 0) lines.add("Container", "Exec", words.map(quoteArgument).join(" "));
}

function wordsOf(service: Fields, key: string): string[] | undefined {
  const value = service.value(key);
  if (value === undefined) return undefined;
  return Array.isArray(value)
    ? service.texts(key)
    : shellWords(textOf(value, service.at(key)), service.at(key));
}

function shellWords(text: string, path: string): string[] {
  try {
    return splitWords(text).map(({ text: word }) => word);
  } catch (error) {
    if (error instanceof SystemdError) return wrong(path, `cannot be split into words: ${error.reason}`);
    throw error;
  }
}

function addEnvironment(service: Fields, lines: Lines, context: ServiceContext): void {
  const all = new Map<string, string>();
  for (const [index, entry] of service.list("env_file").entries()) {
    const path = `${service.at("env_file")}[${index}]`;
    const file = typeof entry === "object" ? new Fields(entry, path, service.notes) : undefined;
    const name = file?.text("path") ?? textOf(entry, path);
    const isRequired = file === undefined || file.value("required") !== false;
    const text = context.readFile(name);
    if (text === undefined && isRequired) wrong(path, `names ${name}, which cannot be read`);
    for (const [key, value] of context.parseEnvFile(text ?? "")) all.set(key, value);
  }
  for (const [name, value] of service.pairs("environment")) {
    const given = value ?? context.variables.get(name);
    if (given === undefined) service.note(`environment.${name}`, "is not set here and was left out");
    else all.set(name, given);
  }
  for (const [name, value] of all) lines.add("Container", "Environment", quoteArgument(`${name}=${value}`));
}

/** Settings of one value each, and lists of them. */
const plain: readonly (readonly [field: string, key: string])[] = [
  ["container_name", "ContainerName"],
  ["hostname", "HostName"],
  ["user", "User"],
  ["working_dir", "WorkingDir"],
  ["stop_signal", "StopSignal"],
  ["shm_size", "ShmSize"],
  ["userns_mode", "UserNS"],
];
const lists: readonly (readonly [field: string, key: string])[] = [
  ["group_add", "GroupAdd"],
  ["cap_add", "AddCapability"],
  ["cap_drop", "DropCapability"],
  ["devices", "AddDevice"],
  ["dns", "DNS"],
  ["dns_search", "DNSSearch"],
  ["dns_opt", "DNSOption"],
  ["tmpfs", "Tmpfs"],
];
const flags: readonly (readonly [field: string, key: string])[] = [
  ["init", "RunInit"],
  ["read_only", "ReadOnly"],
];
/** What Quadlet has no key for, and podman-run an option. */
const options: readonly (readonly [field: string, option: string])[] = [
  ["privileged", "--privileged"],
  ["tty", "--tty"],
  ["stdin_open", "--interactive"],
];
const optionTexts: readonly (readonly [field: string, option: string])[] = [
  ["platform", "--platform"],
  ["pid", "--pid"],
  ["ipc", "--ipc"],
  ["runtime", "--runtime"],
];

function addSettings(service: Fields, lines: Lines): void {
  for (const [field, key] of plain) {
    const value = service.text(field);
    if (value !== undefined) lines.add("Container", key, literalArgument(value));
  }
  for (const [field, key] of lists) {
    for (const value of service.texts(field)) lines.add("Container", key, literalArgument(value));
  }
  for (const [field, key] of flags) if (service.boolean(field)) lines.add("Container", key, "true");
  for (const [field, option] of options)
    if (service.boolean(field)) lines.add("Container", "PodmanArgs", option);
  for (const [field, option] of optionTexts) {
    const value = service.text(field);
    if (value !== undefined) lines.add("Container", "PodmanArgs", `${option} ${quoteArgument(value)}`);
  }
  for (const [name, value = ""] of service.pairs("labels"))
    lines.add("Container", "Label", quoteArgument(`${name}=${value}`));
  for (const [name, value = ""] of service.pairs("annotations"))
    lines.add("Container", "Annotation", quoteArgument(`${name}=${value}`));
  for (const [name, value = ""] of service.pairs("sysctls"))
    lines.add("Container", "Sysctl", quoteArgument(`${name}=${value}`));
  for (const [host, address] of hostsOf(service)) lines.add("Container", "AddHost", `${host}:${address}`);
  addUlimits(service, lines);
  addSecurity(service, lines);
  addLogging(service.inner("logging"), lines);
  const grace = service.text("stop_grace_period");
  if (grace !== undefined) {
    const stop = Math.ceil(seconds(grace, service.at("stop_grace_period")));
    lines.add("Container", "StopTimeout", stop);
    lines.add("Service", "TimeoutStopSec", stop + 5);
  }
}

function hostsOf(service: Fields): [string, string][] {
  return service.pairs("extra_hosts").flatMap(([name, value]) => {
    if (value !== undefined) return [[name, value] as [string, string]];
    const colon = name.indexOf(":");
    if (colon < 1) return wrong(service.at("extra_hosts"), `: ${name} is no HOST:ADDRESS`);
    return [[name.slice(0, colon), name.slice(colon + 1)] as [string, string]];
  });
}

function addUlimits(service: Fields, lines: Lines): void {
  const ulimits = service.inner("ulimits");
  for (const name of ulimits.keys()) {
    const value = ulimits.value(name);
    if (typeof value !== "object") {
      lines.add("Container", "Ulimit", `${name}=${textOf(value, ulimits.at(name))}`);
      continue;
    }
    const both = ulimits.inner(name);
    lines.add("Container", "Ulimit", `${name}=${both.text("soft") ?? 0}:${both.text("hard") ?? 0}`);
  }
}

function addSecurity(service: Fields, lines: Lines): void {
  for (const text of service.texts("security_opt")) {
    const [name = "", value = "true"] = text.split(/[=:](.*)/s);
    if (name === "no-new-privileges") lines.add("Container", "NoNewPrivileges", value);
    else if (name === "seccomp") lines.add("Container", "SeccompProfile", literalArgument(value));
    else if (text === "label=disable" || text === "label:disable")
      lines.add("Container", "SecurityLabelDisable", "true");
    else lines.add("Container", "PodmanArgs", `--security-opt ${quoteArgument(text)}`);
  }
}

function addLogging(logging: Fields, lines: Lines): void {
  const driver = logging.text("driver");
  if (driver !== undefined && ["journald", "json-file", "k8s-file", "none", "passthrough"].includes(driver)) {
    lines.add("Container", "LogDriver", driver);
    for (const [name, value = ""] of logging.pairs("options"))
      lines.add("Container", "LogOpt", quoteArgument(`${name}=${value}`));
  } else if (driver !== undefined) {
    logging.value("options");
    logging.note("driver", `podman has no driver ${driver}: the journal takes the log`);
  }
  logging.noteRest();
}

function addHealth(service: Fields, lines: Lines): void {
  if (!service.has("healthcheck")) return;
  const check = service.inner("healthcheck");
  const command = healthCommand(check);
  if (check.boolean("disable") || command === "none") lines.add("Container", "HealthCmd", "none");
  else if (command !== undefined) lines.add("Container", "HealthCmd", literalArgument(command));
  const spans: readonly (readonly [string, string])[] = [
    ["interval", "HealthInterval"],
    ["timeout", "HealthTimeout"],
    ["start_period", "HealthStartPeriod"],
  ];
  for (const [field, key] of spans) {
    const span = check.text(field);
    if (span !== undefined) lines.add("Container", key, `${milliseconds(span, check.at(field))}ms`);
  }
  lines.add("Container", "HealthRetries", check.number("retries"));
  check.noteRest();
}

function healthCommand(check: Fields): string | undefined {
  const test = check.value("test");
  if (!Array.isArray(test)) return check.text("test");
  const [form, ...words] = check.texts("test");
  if (form === "NONE") return "none";
  if (form === "CMD-SHELL") return words.join(" ");
  if (form === "CMD") return words.map(quoteWord).join(" ");
  return wrong(check.at("test"), "begins with none of NONE, CMD, CMD-SHELL");
}

function addDependencies(service: Fields, lines: Lines, { unitOf, beside }: ServiceContext): void {
  const value = service.value("depends_on");
  const names = Array.isArray(value) ? service.texts("depends_on") : service.inner("depends_on").keys();
  for (const name of names) {
    lines.add("X-Keelson", "AfterUnit", unitOf(name));
    if (Array.isArray(value)) continue;
    const dependency = service.inner("depends_on").inner(name);
    const condition = dependency.text("condition");
    if (condition === "service_started")
      dependency.note("condition", "is stricter here: the unit waits until the other is healthy");
    dependency.value("required");
    dependency.noteRest();
  }
  for (const link of service.texts("links")) {
    if (link.includes(":")) service.note("links", `${link}: services are found by their own names only`);
  }
  if (beside !== undefined) lines.add("X-Fleet", "MachineOf", beside);
  service.texts("expose");
  const memory = service.text("mem_limit");
  if (memory !== undefined) lines.add("Service", "MemoryMax", memoryText(memory, service.at("mem_limit")));
}

// What a configuration asks for, as items that are applied, compared and undone one by one. Pure.
import { createHash } from "node:crypto";
import type {
  DirectoryConfig,
  FileConfig,
  GroupConfig,
  KeelsonConfig,
  LinkConfig,
  MachineConfig,
  UnitConfig,
  UpdateConfig,
  UserConfig,
} from "../machine-config.ts";

export type Item =
  | { readonly kind: "hostname"; readonly id: "hostname"; readonly name: string }
  | { readonly kind: "hosts"; readonly id: "hosts"; readonly name: string }
  | { readonly kind: "group"; readonly id: string; readonly group: GroupConfig }
  | { readonly kind: "user"; readonly id: string; readonly user: UserConfig }
  | { readonly kind: "keys"; readonly id: string; readonly user: string; readonly keys: readonly string[] }
  | { readonly kind: "directory"; readonly id: string; readonly directory: DirectoryConfig }
  | { readonly kind: "file"; readonly id: string; readonly file: FileConfig }
  | { readonly kind: "link"; readonly id: string; readonly link: LinkConfig }
  | { readonly kind: "unit"; readonly id: string; readonly unit: UnitConfig }
  | { readonly kind: "update"; readonly id: "update"; readonly update: UpdateConfig }
  | { readonly kind: "keelson"; readonly id: "keelson"; readonly keelson: KeelsonConfig };

export type ItemKind = Item["kind"];

/** What comes before what: an owner before its file, a file before the unit that reads it. */
export const kindOrder: readonly ItemKind[] = [
  "hostname",
  "hosts",
  "group",
  "user",
  "keys",
  "directory",
  "file",
  "link",
  "update",
  "unit",
  "keelson",
];

/** What a source tells beside the configuration. */
export interface Surroundings {
  readonly hostname?: string | undefined;
  /** For root, as the cloud was told when the machine was made. */
  readonly keys: readonly string[];
}

/** The items in the order in which they are applied. What the configuration says goes before what the source says. */
export function itemsOf(config: MachineConfig, { hostname, keys }: Surroundings): readonly Item[] {
  const name = config.hostname ?? hostname;
  const rootKeys = [...new Set([...config.rootKeys, ...keys])];
  const own = config.users.map(({ name: user }) => user);
  return [
    ...(name === undefined ? [] : [{ kind: "hostname", id: "hostname", name } as const]),
    ...(config.managesHosts ? [{ kind: "hosts", id: "hosts", name: name ?? "" } as const] : []),
    ...config.groups.map((group) => ({ kind: "group", id: `group:${group.name}`, group }) as const),
    ...config.users.map(
      (user) => ({ kind: "user", id: `user:${user.name}`, user: { ...user, keys: [] } }) as const,
    ),
    ...(rootKeys.length === 0 || own.includes("root")
      ? []
      : [{ kind: "keys", id: "keys:root", user: "root", keys: rootKeys } as const]),
    ...config.users.flatMap((user) => {
      const all = user.name === "root" ? [...new Set([...user.keys, ...rootKeys])] : user.keys;
      return all.length === 0
        ? []
        : [{ kind: "keys", id: `keys:${user.name}`, user: user.name, keys: all } as const];
    }),
    ...config.directories
      .toSorted((a, b) => a.path.length - b.path.length)
      .map((directory) => ({ kind: "directory", id: `directory:${directory.path}`, directory }) as const),
    ...config.files.map((file) => ({ kind: "file", id: `file:${file.path}`, file }) as const),
    ...config.links.map((link) => ({ kind: "link", id: `link:${link.path}`, link }) as const),
    ...(config.update === undefined
      ? []
      : [{ kind: "update", id: "update", update: config.update } as const]),
    ...config.units.map((unit) => ({ kind: "unit", id: `unit:${unit.name}`, unit }) as const),
    ...(config.keelson === undefined
      ? []
      : [{ kind: "keelson", id: "keelson", keelson: config.keelson } as const]),
  ];
}

/** SHA-256 of everything that the item asks for. Where it stands in the text does not matter. */
export function digestOf(item: Item): string {
  const text = JSON.stringify(item, (key, value: unknown) => {
    if (key === "place") return undefined;
    return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
  });
  return createHash("sha256").update(text).digest("hex");
}

/** Whether the item holds for one boot only, and has to be looked at again. */
export function isVolatile(item: Item): boolean {
  if (item.kind === "unit") return item.unit.runtime || item.unit.command === "stop";
  // An address that was found may be another one now.
  if (item.kind === "keelson") return item.keelson.address === undefined;
  return item.kind === "file" && /^\/(?:run|tmp)\//.test(item.file.path);
}

/** One line for people, without any secret. */
export function describeItem(item: Item): string {
  switch (item.kind) {
    case "hostname":
      return `host name ${item.name}`;
    case "hosts":
      return "the host name in /etc/hosts";
    case "group":
      return `group ${item.group.name}`;
    case "user":
      return `user ${item.user.name}${item.user.passwordHash === undefined ? "" : ", with a password"}`;
    case "keys":
      return `${item.keys.length} SSH ${item.keys.length === 1 ? "key" : "keys"} of ${item.user}`;
    case "directory":
      return `folder ${item.directory.path}`;
    case "file":
      return `file ${item.file.path}, ${item.file.content.length} bytes, ${item.file.mode.toString(8).padStart(4, "0")}`;
    case "link":
      return `link ${item.link.path}`;
    case "update":
      return "update settings";
    case "unit":
      return `unit ${item.unit.name}${unitWords(item.unit)}`;
    case "keelson":
      return `keeld in cluster ${item.keelson.cluster}, roles ${item.keelson.roles.join(", ")}`;
  }
}

function unitWords(unit: UnitConfig): string {
  const words = [
    ...(unit.masked ? ["masked"] : []),
    ...(unit.enabled === true ? ["enabled"] : unit.enabled === false ? ["disabled"] : []),
    ...(unit.command === undefined ? [] : [unit.command]),
    ...(unit.dropIns.length === 0 ? [] : [`${unit.dropIns.length} drop-ins`]),
    ...(unit.runtime ? ["until the next boot"] : []),
  ];
  return words.length === 0 ? "" : `: ${words.join(", ")}`;
}

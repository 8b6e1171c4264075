// Ignition's configuration, specification 3.0 to 3.6: the subset that needs no disk of its own and no download.
// Everything else is refused with its place. Source: coreos/ignition, docs/configuration-v3_*.md.
import { createHash } from "node:crypto";
import type { Reading } from "./cloud-config/read-cloud-config.ts";
import type {
  DirectoryConfig,
  FileConfig,
  GroupConfig,
  LinkConfig,
  MachineConfig,
  Ownership,
  UnitConfig,
  UserConfig,
} from "./machine-config.ts";
import { emptyConfig } from "./machine-config.ts";
import { dataOf } from "./reading/data-url.ts";
import { readDocument } from "./reading/document.ts";
import { unzip } from "./reading/encoding.ts";
import type { Field } from "./reading/field.ts";
import { maxContentBytes, readKeys, readPath, readUnitName, readUserName } from "./reading/names.ts";
import { readUnitText } from "./reading/unit-text.ts";

/** Whether the text is meant as Ignition's. */
export function isIgnition(text: string): boolean {
  return /^\s*\{/.test(text) && /"ignition"\s*:/.test(text);
}

export function readIgnition(text: string): Reading {
  const { field, findings } = readDocument(text, "json");
  const config = field === undefined ? undefined : readRoot(field);
  return {
    language: "ignition",
    findings: findings.all,
    ...(config !== undefined && !findings.hasErrors && { config }),
  };
}

function readRoot(root: Field): MachineConfig {
  const fields = root.fields(["ignition", "storage", "systemd", "passwd", "kernelArguments"]);
  readHeader(root, fields.ignition);
  refuse(fields.kernelArguments, "the kernel's command line is part of the signed image");
  const storage = fields.storage?.fields([
    "files",
    "directories",
    "links",
    "disks",
    "raid",
    "filesystems",
    "luks",
  ]);
  for (const name of ["disks", "raid", "filesystems", "luks"] as const)
    refuse(storage?.[name], "disks are laid out by the image");
  const passwd = fields.passwd?.fields(["users", "groups"]);
  const users = (passwd?.users?.items() ?? []).flatMap(readUser);
  const files = (storage?.files?.items() ?? []).flatMap(readFile);
  const directories = (storage?.directories?.items() ?? []).flatMap(readDirectory);
  const links = (storage?.links?.items() ?? []).flatMap(readLink);
  const seen = new Set<string>();
  for (const { path } of [...files, ...directories, ...links]) {
    if (seen.has(path)) fields.storage?.error(`${path} stands twice`, "Remove one of them.");
    seen.add(path);
  }
  // A host name is a file in Ignition.
  const named = files.find(({ path }) => path === "/etc/hostname");
  const hostname = named === undefined ? undefined : Buffer.from(named.content).toString().trim();
  return {
    ...emptyConfig,
    ...(hostname !== undefined && hostname !== "" && { hostname }),
    users,
    groups: (passwd?.groups?.items() ?? []).flatMap(readGroup),
    files: files.filter((file) => file !== named),
    directories,
    links,
    units: (fields.systemd?.fields(["units"]).units?.items() ?? []).flatMap(readUnit),
  };
}

function readHeader(root: Field, header: Field | undefined): void {
  if (header === undefined) return root.error("has no `ignition`", 'Add "ignition": {"version": "3.4.0"}.');
  const fields = header.fields(["version", "config", "timeouts", "security", "proxy"]);
  const version = fields.version?.text() ?? "";
  if (!/^3\.[0-6]\.0$/.test(version))
    (fields.version ?? header).error(
      "must be version 3.0.0 to 3.6.0",
      "Translate older ones with ign-converter.",
    );
  for (const [, inner] of fields.config?.entries() ?? [])
    refuse(inner, "other configurations are not fetched: what is applied is what was validated");
  for (const name of ["timeouts", "security", "proxy"] as const)
    for (const [, inner] of fields[name]?.entries() ?? []) refuse(inner, "nothing is downloaded");
}

/** Ignition's writers put empty lists and objects everywhere: those say nothing. */
function refuse(field: Field | undefined, why: string): void {
  if (field === undefined || field.isEmpty) return;
  if (field.shape === "list" && field.items().length === 0) return;
  if (field.shape === "mapping" && field.entries().length === 0) return;
  field.error(`is not supported: ${why}`, "Remove it.");
}

const node = ["path", "overwrite", "user", "group"] as const;

function readFile(item: Field): FileConfig[] {
  const fields = item.fields([...node, "mode", "contents", "append"]);
  const path = fields.path && readPath(fields.path);
  if (fields.path === undefined) item.error("a file needs `path`", 'Add "path".');
  const appended = (fields.append?.items() ?? []).map(readContents);
  const content = fields.contents === undefined ? undefined : readContents(fields.contents);
  const mode = fields.mode?.integer(0, 0o7777) ?? 0o644;
  const owner = readOwnership(fields.user, fields.group);
  const overwrite = fields.overwrite?.flag() === true;
  if (path === undefined || owner === undefined) return [];
  const bytes = Buffer.concat([content, ...appended].flatMap((part) => part ?? []));
  if (bytes.length > maxContentBytes) item.error("is larger than 1 MiB", "Put large contents elsewhere.");
  return [
    {
      path,
      content: bytes,
      mode,
      ...owner,
      substitutes: false,
      append: content === undefined && appended.length > 0,
      keepsExisting: !overwrite,
      place: item.place,
    },
  ];
}

/** Contents, fetch options left out: a data: URL, gzip, and a hash that is checked here. */
function readContents(field: Field): Buffer | undefined {
  const fields = field.fields(["source", "compression", "verification", "httpHeaders"]);
  refuse(fields.httpHeaders, "nothing is downloaded");
  const source = fields.source?.text();
  const compression = fields.compression?.text() ?? "";
  if (source === undefined || source === "") return Buffer.alloc(0);
  const raw = dataOf(source);
  if (raw === undefined)
    return fields.source?.error("must be a data: URL", "Put the content into the configuration itself.");
  if (compression !== "" && compression !== "gzip")
    return fields.compression?.error("must be gzip", "Compress with gzip or not at all.");
  const bytes = compression === "gzip" ? unzip(raw, maxContentBytes) : raw;
  if (bytes === undefined)
    return fields.source?.error("is no gzip, or more than 1 MiB unpacked", "Compress the content again.");
  const hash = fields.verification?.fields(["hash"]).hash;
  const [, kind, wanted] = /^(sha256|sha512)-([0-9a-f]{64,128})$/.exec(hash?.text() ?? "") ?? [];
  if (hash !== undefined && kind === undefined)
    return hash.error("must be sha256- or sha512- and the hash", "Make it with sha512sum.");
  if (kind !== undefined && createHash(kind).update(bytes).digest("hex") !== wanted)
    return hash?.error("is not the hash of the content", "Make the configuration again.");
  return bytes;
}

function readDirectory(item: Field): DirectoryConfig[] {
  const fields = item.fields([...node, "mode"]);
  refuseOverwrite(fields.overwrite);
  const path = fields.path === undefined ? item.error("needs `path`", 'Add "path".') : readPath(fields.path);
  const owner = readOwnership(fields.user, fields.group);
  const mode = fields.mode?.integer(0, 0o7777) ?? 0o755;
  return path === undefined || owner === undefined ? [] : [{ path, mode, ...owner, place: item.place }];
}

function readLink(item: Field): LinkConfig[] {
  const fields = item.fields([...node, "target", "hard"]);
  const path = fields.path === undefined ? item.error("needs `path`", 'Add "path".') : readPath(fields.path);
  const target = fields.target?.matching(/^\P{Cc}{1,1024}$/u, "a path", "Write where the link leads.");
  const owner = readOwnership(fields.user, fields.group);
  if (fields.target === undefined) item.error("needs `target`", 'Add "target".');
  if (path === undefined || target === undefined || owner === undefined) return [];
  return [{ path, target, hard: fields.hard?.flag() === true, ...owner, place: item.place }];
}

function refuseOverwrite(field: Field | undefined): void {
  if (field?.flag() === true)
    field.error(
      "folders are not deleted for others",
      "Remove `overwrite`, or write the files that are to change.",
    );
}

function readOwnership(user: Field | undefined, group: Field | undefined): Ownership | undefined {
  const one = (field: Field | undefined): string | number | undefined => {
    if (field === undefined) return "root";
    const fields = field.fields(["id", "name"]);
    if (fields.id !== undefined) return fields.id.integer(0, 4_000_000_000);
    return fields.name === undefined ? "root" : readUserName(fields.name);
  };
  const owner = { user: one(user), group: one(group) };
  return owner.user === undefined || owner.group === undefined
    ? undefined
    : { user: owner.user, group: owner.group };
}

function readUnit(item: Field): UnitConfig[] {
  const fields = item.fields(["name", "enabled", "mask", "contents", "dropins"]);
  const name =
    fields.name === undefined ? item.error("needs `name`", 'Add "name".') : readUnitName(fields.name);
  const content = fields.contents && readUnitText(fields.contents);
  const enabled = fields.enabled?.flag();
  const dropIns = (fields.dropins?.items() ?? []).flatMap((inner) => {
    const parts = inner.fields(["name", "contents"]);
    const file = parts.name?.matching(/^[\w:.@-]{1,240}\.conf$/, "a name with .conf", "Take 10-mine.conf.");
    const text = parts.contents && readUnitText(parts.contents);
    return file === undefined || text === undefined ? [] : [{ name: file, content: text }];
  });
  if (name === undefined) return [];
  return [
    {
      name,
      dropIns,
      masked: fields.mask?.flag() === true,
      runtime: false,
      // Ignition enables units for the boot that follows: here the machine is up already.
      ...(enabled === true && { command: "start" as const }),
      ...(enabled !== undefined && { enabled }),
      ...(content !== undefined && { content }),
    },
  ];
}

function readUser(item: Field): UserConfig[] {
  const fields = item.fields([
    "name",
    "passwordHash",
    "sshAuthorizedKeys",
    "uid",
    "gecos",
    "homeDir",
    "noCreateHome",
    "primaryGroup",
    "groups",
    "noUserGroup",
    "noLogInit",
    "shell",
    "shouldExist",
    "system",
  ]);
  const name =
    fields.name === undefined ? item.error("needs `name`", 'Add "name".') : readUserName(fields.name);
  if (fields.shouldExist?.flag() === false)
    fields.shouldExist.error("is not supported", "Leave the user out.");
  const hash = fields.passwordHash?.matching(
    /^(?:[*!]{1,2}|\$(?:y|gy|7|2[abxy]|6|5)\$[./A-Za-z0-9$=,]{8,400})$/,
    "the hash of a password",
    "Make it with `mkpasswd -m yescrypt`.",
  );
  const uid = fields.uid?.integer(1, 60_000);
  const gecos = fields.gecos?.matching(/^[^:\p{Cc}]{0,200}$/u, "one line without :", "Write a name.");
  const home = fields.homeDir?.matching(/^\/[\w./-]{1,200}$/, "an absolute path", "Write /home/NAME.");
  const primaryGroup = fields.primaryGroup && readUserName(fields.primaryGroup);
  const shell = fields.shell?.matching(/^\/[\w./-]{1,200}$/, "an absolute path", "Write /bin/bash.");
  const system = fields.system?.flag() === true;
  if (name === undefined) return [];
  return [
    {
      name,
      keys: readKeys(fields.sshAuthorizedKeys?.items() ?? []),
      createsHome: !system && fields.noCreateHome?.flag() !== true,
      groups: (fields.groups?.items() ?? []).flatMap((group) => readUserName(group) ?? []),
      ownGroup: fields.noUserGroup?.flag() !== true,
      system,
      ...(hash !== undefined && hash.startsWith("$") && { passwordHash: hash }),
      ...(uid !== undefined && { uid }),
      ...(gecos !== undefined && { gecos }),
      ...(home !== undefined && { home }),
      ...(primaryGroup !== undefined && { primaryGroup }),
      ...(shell !== undefined && { shell }),
    },
  ];
}

function readGroup(item: Field): GroupConfig[] {
  const fields = item.fields(["name", "gid", "passwordHash", "shouldExist", "system"]);
  refuse(fields.passwordHash, "groups have no passwords");
  const name =
    fields.name === undefined ? item.error("needs `name`", 'Add "name".') : readUserName(fields.name);
  const gid = fields.gid?.integer(1, 60_000);
  if (fields.shouldExist?.flag() === false)
    fields.shouldExist.error("is not supported", "Leave the group out.");
  if (name === undefined) return [];
  return [{ name, members: [], system: fields.system?.flag() === true, ...(gid !== undefined && { gid }) }];
}

// A `#cloud-config`: CoreOS's fields, and Keelson's own section. Everything that is written is either taken, or told
// as a warning or an error with its place; nothing is passed over in silence.
// Source: coreos-cloudinit's Documentation/cloud-config.md and config/*.go; cloud-init's module reference for groups.
import type { MachineConfig } from "../machine-config.ts";
import { readDocument } from "../reading/document.ts";
import type { Field } from "../reading/field.ts";
import { Findings } from "../reading/findings.ts";
import type { Finding } from "../reading/findings.ts";
import { readHostName, readKeys } from "../reading/names.ts";
import { readCoreOS } from "./coreos-section.ts";
import { readKeelson } from "./keelson-section.ts";
import { readUnits } from "./units.ts";
import { readGroups, readUsers } from "./users.ts";
import { readWriteFiles } from "./write-files.ts";

/** What a configuration says, and what there is to say about it. No `config` when there is an error. */
export interface Reading {
  readonly language: "cloud-config" | "ignition";
  readonly config?: MachineConfig;
  readonly findings: readonly Finding[];
}

const fieldNames = [
  "hostname",
  "manage_etc_hosts",
  "ssh_authorized_keys",
  "users",
  "groups",
  "write_files",
  "units",
  "keelson",
  "coreos",
] as const;

/** Whether the text calls itself a cloud-config. */
export function isCloudConfig(text: string): boolean {
  return /^#cloud-config[ \t]*\r?(?:\n|$)/.test(text);
}

export function readCloudConfig(text: string): Reading {
  const language = "cloud-config";
  if (!isCloudConfig(text)) {
    const findings = new Findings();
    findings.add({
      severity: "error",
      path: "",
      message: "the first line is not #cloud-config",
      remedy: "Begin the text with the line #cloud-config.",
      line: 1,
      column: 1,
    });
    return { language, findings: findings.all };
  }
  const { field, findings } = readDocument(text, "yaml");
  const config = field === undefined ? undefined : readRoot(field);
  return { language, findings: findings.all, ...(config !== undefined && !findings.hasErrors && { config }) };
}

function readRoot(root: Field): MachineConfig {
  const fields = root.fields(fieldNames);
  const hostname = fields.hostname && readHostName(fields.hostname);
  const users = fields.users === undefined ? [] : readUsers(fields.users);
  const coreos = fields.coreos === undefined ? undefined : readCoreOS(fields.coreos);
  const own = fields.keelson === undefined ? undefined : readKeelson(fields.keelson, coreos?.metadata ?? {});
  if (own?.keelson === undefined && coreos?.metadata !== undefined)
    fields.coreos?.warn(
      "fleet's metadata is for a cluster, and the machine is told of none",
      "Add the section `keelson` with `cluster` and `endpoints`.",
    );
  const files = fields.write_files === undefined ? [] : readWriteFiles(fields.write_files);
  const units = [...(fields.units === undefined ? [] : readUnits(fields.units)), ...(coreos?.units ?? [])];
  for (const [i, unit] of units.entries())
    if (units.findIndex(({ name }) => name === unit.name) !== i)
      (fields.coreos ?? root).error(`the unit ${unit.name} stands twice`, "Put both together.");
  for (const [i, file] of files.entries())
    if (files.findIndex(({ path }) => path === file.path) !== i)
      fields.write_files?.error(`the file ${file.path} stands twice`, "Remove one of them.");
  const update = { ...coreos?.update, ...own?.update };
  return {
    ...(hostname !== undefined && { hostname }),
    managesHosts: readManageHosts(fields.manage_etc_hosts),
    groups: fields.groups === undefined ? [] : readGroups(fields.groups),
    users,
    rootKeys: fields.ssh_authorized_keys === undefined ? [] : readKeys(fields.ssh_authorized_keys.items()),
    directories: [],
    files,
    links: [],
    units,
    ...(own?.keelson !== undefined && { keelson: own.keelson }),
    ...(Object.keys(update).length > 0 && { update }),
  };
}

/** CoreOS knows `localhost` only, cloud-init true and false as well. */
function readManageHosts(field: Field | undefined): boolean {
  if (field === undefined) return false;
  return field.text() === "localhost" || field.flag() === true;
}

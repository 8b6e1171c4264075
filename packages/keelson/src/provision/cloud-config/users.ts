// `users:` and `groups:`.
import type { GroupConfig, UserConfig } from "../machine-config.ts";
import type { Field } from "../reading/field.ts";
import { readKeys, readUserName } from "../reading/names.ts";

const userFields = [
  "name",
  "uid",
  "passwd",
  "ssh_authorized_keys",
  "gecos",
  "homedir",
  "no_create_home",
  "primary_group",
  "groups",
  "no_user_group",
  "system",
  "shell",
  "no_log_init",
  "lock_passwd",
  "sudo",
  "inactive",
  "selinux_user",
  "ssh_import_id",
  "coreos_ssh_import_github",
  "coreos_ssh_import_github_users",
  "coreos_ssh_import_url",
] as const;

/** Taken in silence by nobody: why each has no counterpart, and what to do instead. */
const without: Partial<Record<(typeof userFields)[number], string>> = {
  no_log_init: "There is no lastlog here: remove the field.",
  sudo: "The system has no sudo: give root keys with ssh_authorized_keys at the top.",
  inactive: "Leave out the user instead.",
  selinux_user: "The system has no SELinux: remove the field.",
  ssh_import_id: "Write the keys out in ssh_authorized_keys: whoever serves them could log in.",
  coreos_ssh_import_github:
    "Write the keys out in ssh_authorized_keys: https://github.com/NAME.keys has them.",
  coreos_ssh_import_github_users:
    "Write the keys out in ssh_authorized_keys: https://github.com/NAME.keys has them.",
  coreos_ssh_import_url: "Write the keys out in ssh_authorized_keys: whoever serves them could log in.",
};

export function readUsers(field: Field): readonly UserConfig[] {
  const users = field.items().flatMap((item): UserConfig[] => readUser(item) ?? []);
  for (const [i, { name }] of users.entries())
    if (users.findIndex((other) => other.name === name) !== i)
      field.error(`the user ${name} stands twice`, "Put both together.");
  return users;
}

function readUser(item: Field): UserConfig[] | undefined {
  if (item.shape === "text") {
    item.warn(
      "there is no default user here",
      "Write users as mappings with `name`; root's keys are in ssh_authorized_keys.",
    );
    return undefined;
  }
  const fields = item.fields(userFields);
  for (const [name, remedy] of Object.entries(without)) {
    const found = fields[name as keyof typeof without];
    found?.warn("has no counterpart here and is not applied", remedy);
  }
  if (fields.name === undefined) return item.error("a user needs `name`", "Add name: NAME.");
  const name = readUserName(fields.name);
  if (name === undefined) return undefined;
  const isLocked = fields.lock_passwd?.flag() === true;
  const passwordHash = isLocked ? undefined : fields.passwd && readHash(fields.passwd);
  const home = fields.homedir?.matching(/^\/[\w./-]{1,200}$/, "an absolute path", "Write /home/NAME.");
  const shell = fields.shell?.matching(/^\/[\w./-]{1,200}$/, "an absolute path", "Write /bin/bash.");
  const gecos = fields.gecos?.matching(/^[^:\p{Cc}]{0,200}$/u, "one line without :", "Write a name.");
  const primaryGroup = fields.primary_group && readUserName(fields.primary_group);
  const uid = fields.uid?.integer(1, 60_000);
  const system = fields.system?.flag() === true;
  return [
    {
      name,
      keys: fields.ssh_authorized_keys === undefined ? [] : readKeys(fields.ssh_authorized_keys.items()),
      createsHome: !system && fields.no_create_home?.flag() !== true,
      groups: readGroupNames(fields.groups),
      ownGroup: fields.no_user_group?.flag() !== true,
      system,
      ...(uid !== undefined && { uid }),
      ...(passwordHash !== undefined && { passwordHash }),
      ...(gecos !== undefined && { gecos }),
      ...(home !== undefined && { home }),
      ...(primaryGroup !== undefined && { primaryGroup }),
      ...(shell !== undefined && { shell }),
    },
  ];
}

/** A list, or names with commas. */
function readGroupNames(field: Field | undefined): readonly string[] {
  if (field === undefined) return [];
  if (field.shape === "list")
    return field.items().flatMap((item) => {
      const name = readUserName(item);
      return name === undefined ? [] : [name];
    });
  const names = field.texts(true);
  if (names.every((name) => /^[a-z_][a-z0-9_-]{0,30}$/.test(name))) return names;
  return field.error("must be names of groups", "Write a list of names.") ?? [];
}

function readHash(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  // `*` and `!` lock; otherwise crypt(5): $id$…, never a password in the clear.
  if (/^[*!]{1,2}$/.test(text)) return undefined;
  if (/^\$(?:y|gy|7|2[abxy]|6|5|sha1|1)\$[./A-Za-z0-9$=,]{8,400}$/.test(text)) {
    if (text.startsWith("$1$") || text.startsWith("$sha1$"))
      field.warn(
        "the password's hash is of a kind that is quickly guessed",
        "Make one with `mkpasswd -m yescrypt`.",
      );
    return text;
  }
  return field.error(
    "must be the hash of a password, and never the password itself",
    "Make it with `mkpasswd -m yescrypt`, or `openssl passwd -6`.",
  );
}

/** cloud-init's: names, or mappings from a name to its members. */
export function readGroups(field: Field): readonly GroupConfig[] {
  const groups =
    field.shape === "mapping"
      ? field.entries().flatMap(([name, members]) => groupOf(members, name, members))
      : field.items().flatMap((item) => {
          if (item.shape === "text") return groupOf(item, item.text() ?? "", undefined);
          const known = item.entries().some(([key]) => key === "name");
          if (known) return detailedGroup(item);
          return item.entries().flatMap(([name, members]) => groupOf(members, name, members));
        });
  for (const [i, { name }] of groups.entries())
    if (groups.findIndex((other) => other.name === name) !== i)
      field.error(`the group ${name} stands twice`, "Put both together.");
  return groups;
}

function groupOf(place: Field, name: string, members: Field | undefined): GroupConfig[] {
  if (/^[a-z_][a-z0-9_-]{0,30}$/.test(name))
    return [{ name, members: readGroupNames(members), system: false }];
  place.error("a group's name is of a-z, 0-9, - and _", "Take a name in small letters.");
  return [];
}

function detailedGroup(item: Field): GroupConfig[] {
  const fields = item.fields(["name", "gid", "members", "system"]);
  const name = fields.name && readUserName(fields.name);
  if (name === undefined) return [];
  const gid = fields.gid?.integer(1, 60_000);
  return [
    {
      name,
      members: readGroupNames(fields.members),
      system: fields.system?.flag() === true,
      ...(gid !== undefined && { gid }),
    },
  ];
}

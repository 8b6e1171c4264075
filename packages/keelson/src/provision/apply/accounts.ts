// Users and groups as systemd's user records in /etc/userdb: the image's own /etc/passwd stays as it is, so that a new
// image may bring other system users. Source: systemd.io/USER_RECORD, nss-systemd(8).
import { lstat, readFile } from "node:fs/promises";
import type { GroupConfig, UserConfig } from "../machine-config.ts";
import { at } from "./machine.ts";
import type { Machine } from "./machine.ts";
import type { Placing } from "./placing.ts";
import type { ProvisionState } from "./state.ts";

/** People begin at 1000; services of the configuration have numbers that the image's packages do not give out. */
const ranges = { regular: [1000, 59_999], system: [700, 799] } as const;

export const userdb = "/etc/userdb";
const root = { mode: 0o644, uid: 0, gid: 0 } as const;

interface Numbers {
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
  /** Primary groups of the image's users. */
  readonly primary: ReadonlyMap<string, number>;
}

/** Who there is, and who gets which number. Numbers given are written into `state`. */
export class Accounts {
  readonly #image: Numbers;
  readonly #users: Record<string, number>;
  readonly #groups: Record<string, number>;

  private constructor(image: Numbers, { accounts }: ProvisionState) {
    this.#image = image;
    this.#users = { ...accounts.users };
    this.#groups = { ...accounts.groups };
  }

  static async read(machine: Machine, state: ProvisionState): Promise<Accounts> {
    const [passwd, group] = await Promise.all(
      ["/etc/passwd", "/etc/group"].map((path) => readFile(at(machine, path), "utf8").catch(() => "")),
    );
    return new Accounts(readNumbers(passwd ?? "", group ?? ""), state);
  }

  get numbers(): ProvisionState["accounts"] {
    return { users: { ...this.#users }, groups: { ...this.#groups } };
  }

  /** Whether the image has the user: then only its keys, its groups and its password are set. */
  isOfImage(user: string): boolean {
    return this.#image.users.has(user);
  }

  uid(owner: string | number): number {
    if (typeof owner === "number") return owner;
    const uid = this.#image.users.get(owner) ?? this.#users[owner];
    if (uid === undefined) throw new Error(`there is no user ${owner}`);
    return uid;
  }

  gid(owner: string | number): number {
    if (typeof owner === "number") return owner;
    const gid = this.#image.groups.get(owner) ?? this.#groups[owner];
    if (gid === undefined) throw new Error(`there is no group ${owner}`);
    return gid;
  }

  /** A user's own: the group that new files of theirs have. */
  primaryGid(user: string): number {
    return this.#image.primary.get(user) ?? this.#groups[user] ?? this.#image.groups.get("users") ?? 100;
  }

  async placeGroup(group: GroupConfig, placing: Placing): Promise<void> {
    const gid = this.#image.groups.get(group.name) ?? this.#number("groups", group.name, group);
    if (!this.#image.groups.has(group.name)) await placeGroupRecord(placing, group.name, gid, group.system);
    for (const member of group.members) await placeMembership(placing, member, group.name);
  }

  /** The user's record. The image's own users get their memberships only. */
  async placeUser(user: UserConfig, home: string, shell: string, placing: Placing): Promise<void> {
    for (const group of user.groups) {
      this.gid(group);
      await placeMembership(placing, user.name, group);
    }
    if (this.isOfImage(user.name)) return;
    const uid = this.#number("users", user.name, user);
    let gid: number;
    if (user.primaryGroup !== undefined) gid = this.gid(user.primaryGroup);
    else if (!user.ownGroup) gid = this.gid("users");
    else {
      const isFree = ![...this.#image.groups.values(), ...Object.values(this.#groups)].includes(uid);
      gid =
        this.#groups[user.name] ??
        this.#number("groups", user.name, { system: user.system, ...(isFree && { gid: uid }) });
      await placeGroupRecord(placing, user.name, gid, user.system);
    }
    const record = {
      userName: user.name,
      uid,
      gid,
      ...(user.gecos !== undefined && user.gecos !== "" && { realName: user.gecos }),
      homeDirectory: home,
      shell,
      disposition: user.system ? "system" : "regular",
    };
    await placeRecord(placing, [`${user.name}.user`, `${uid}.user`], record, 0o644);
    const secret = {
      privileged: { hashedPassword: user.passwordHash === undefined ? [] : [user.passwordHash] },
    };
    await placeRecord(placing, [`${user.name}.user-privileged`, `${uid}.user-privileged`], secret, 0o600);
  }

  /** The number that was given before, the one that is wanted, or the next that is free. */
  #number(
    kind: "users" | "groups",
    name: string,
    wanted: { readonly uid?: number; readonly gid?: number; readonly system: boolean },
  ): number {
    const own = kind === "users" ? this.#users : this.#groups;
    const asked = kind === "users" ? wanted.uid : wanted.gid;
    const taken = new Set([...this.#image[kind].values(), ...Object.values(own)]);
    const before = own[name];
    if (before !== undefined && (asked === undefined || asked === before)) return before;
    if (asked !== undefined) {
      const other = Object.entries(own).find(([key, value]) => value === asked && key !== name)?.[0];
      if (other !== undefined || [...this.#image[kind].values()].includes(asked))
        throw new Error(`number ${asked} of ${name} belongs to ${other ?? "the system"} already`);
      return (own[name] = asked);
    }
    const [first, last] = wanted.system ? ranges.system : ranges.regular;
    for (let number = first; number <= last; number++) if (!taken.has(number)) return (own[name] = number);
    throw new Error(`no number is free for ${name}`);
  }
}

async function placeGroupRecord(placing: Placing, name: string, gid: number, system: boolean): Promise<void> {
  const record = { groupName: name, gid, disposition: system ? "system" : "regular" };
  await placeRecord(placing, [`${name}.group`, `${gid}.group`], record, 0o644);
}

/** The record under its name, and a link to it under its number. */
async function placeRecord(
  placing: Placing,
  [name, number]: readonly [string, string],
  record: object,
  mode: number,
): Promise<void> {
  await placing.file(`${userdb}/${name}`, `${JSON.stringify(record)}\n`, { ...root, mode });
  await placing.symlink(`${userdb}/${number}`, name, { uid: 0, gid: 0 });
}

/** Its name says it all; an empty file would mask it. */
function placeMembership(placing: Placing, user: string, group: string): Promise<void> {
  return placing.file(`${userdb}/${user}:${group}.membership`, "{}\n", root);
}

export function readNumbers(passwd: string, group: string): Numbers {
  const lines = (text: string): string[][] =>
    text
      .split("\n")
      .map((line) => line.split(":"))
      .filter((parts) => parts.length >= 3 && /^\d+$/.test(parts[2] ?? ""));
  return {
    users: new Map(lines(passwd).map(([name = "", , uid]) => [name, Number(uid)])),
    groups: new Map(lines(group).map(([name = "", , gid]) => [name, Number(gid)])),
    primary: new Map(lines(passwd).map(([name = "", , , gid]) => [name, Number(gid)])),
  };
}

/** The password field of a user in the text of /etc/shadow. */
export function passwordIn(shadow: string, user: string): string | undefined {
  return shadow
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === user)?.[1];
}

/** The text with another password field; undefined when the user is not in it. */
export function withPassword(shadow: string, user: string, hash: string): string | undefined {
  let isThere = false;
  const lines = shadow.split("\n").map((line) => {
    const parts = line.split(":");
    if (parts[0] !== user || parts.length < 3) return line;
    isThere = true;
    parts[1] = hash;
    return parts.join(":");
  });
  return isThere ? lines.join("\n") : undefined;
}

/** Whether a shell or another program is there. */
export async function isThere(machine: Machine, path: string): Promise<boolean> {
  return (await lstat(at(machine, path)).catch(() => undefined)) !== undefined;
}

// Carries out one item, or takes it back. What an item made is noted, so that it can be undone to the last file.
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "../../base/errors.ts";
import type { UnitConfig, UserConfig } from "../machine-config.ts";
import { Accounts, isThere, passwordIn, withPassword } from "./accounts.ts";
import { keeldConfiguration } from "./cluster-place.ts";
import type { PlaceOptions } from "./cluster-place.ts";
import { hostsWith } from "./hosts-file.ts";
import type { Item } from "./items.ts";
import { at } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { Placing } from "./placing.ts";
import type { Rights } from "./placing.ts";
import type { AppliedItem } from "./state.ts";
import { unitPaths, UnitChanges } from "./units.ts";
import { writeSynced } from "./written-file.ts";

export interface Made {
  readonly made: AppliedItem["made"];
  /** A unit that was enabled by its [Install] section. */
  readonly enabled?: string;
  /** What stood in the password's place of a user of the image's. */
  readonly previousPassword?: string;
}

export interface DoerOptions extends PlaceOptions {
  readonly machine: Machine;
  readonly accounts: Accounts;
  /** Folder for what was there before. */
  readonly originals: string;
  /** The machine's name once everything is applied; for keeld. */
  readonly hostname: string | undefined;
}

const root = { uid: 0, gid: 0 } as const;
const readable = { ...root, mode: 0o644 } as const;
const secret = { ...root, mode: 0o600 } as const;

export class Doer {
  /** What systemd has to be told when all is written. */
  readonly units: UnitChanges;
  readonly #options: DoerOptions;

  constructor(options: DoerOptions) {
    this.#options = options;
    this.units = new UnitChanges(options.machine);
  }

  async apply(item: Item, was: AppliedItem | undefined): Promise<Made> {
    const placing = this.#placing(was);
    const more = await this.#carryOut(item, was, placing);
    await placing.undoRest();
    return { made: placing.made, ...more };
  }

  async remove(was: AppliedItem): Promise<void> {
    const [kind = "", ...rest] = was.id.split(":");
    const name = rest.join(":");
    if (kind === "unit") await this.units.withdraw(name, was.enabled);
    if (kind === "user" && was.previousPassword !== undefined)
      await this.#setPassword(name, was.previousPassword);
    if (kind === "hosts") await this.#editHosts(undefined);
    await this.#placing(was).undoRest();
    if (kind === "keelson") this.units.restart(["keeld.service", "keelson-fence.service"]);
    if (kind === "file") this.units.noteFile(name);
  }

  async #carryOut(item: Item, was: AppliedItem | undefined, placing: Placing): Promise<Omit<Made, "made">> {
    const { accounts, machine } = this.#options;
    switch (item.kind) {
      case "hostname":
        await placing.file("/etc/hostname", `${item.name}\n`, readable);
        await machine.setHostname(item.name);
        return {};
      case "hosts":
        await this.#editHosts(item.name === "" ? this.#options.hostname : item.name);
        return {};
      case "group":
        await accounts.placeGroup(item.group, placing);
        return {};
      case "user":
        return await this.#placeUser(item.user, was, placing);
      case "keys":
        accounts.uid(item.user);
        await placing.file(`/etc/ssh/authorized_keys.d/${item.user}`, `${item.keys.join("\n")}\n`, readable);
        return {};
      case "directory":
        await placing.folder(item.directory.path, this.#rights(item.directory));
        return {};
      case "file":
        await this.#placeFile(item.file, placing, was);
        return {};
      case "link": {
        const { path, target, hard } = item.link;
        if (hard) await placing.hardLink(path, target);
        else await placing.symlink(path, target, this.#rights({ ...item.link, mode: 0 }));
        return {};
      }
      case "update":
        await placing.file("/etc/keelson/update.json", `${JSON.stringify(item.update)}\n`, readable);
        return {};
      case "unit":
        return await this.#placeUnit(item.unit, was, placing);
      case "keelson": {
        const text = await keeldConfiguration(item.keelson, this.#options.hostname, this.#options);
        await this.#secretFolder();
        const before = await readFile(at(machine, "/etc/credstore/keelson.config"), "utf8").catch(() => "");
        await placing.file("/etc/credstore/keelson.config", text, secret);
        if (item.keelson.store !== undefined)
          await placing.file("/etc/credstore/keelson.store", item.keelson.store, secret);
        if (before !== text || was?.digest === undefined)
          this.units.restart(["keelson-fence.service", "keeld.service"]);
        return {};
      }
    }
  }

  async #placeFile(
    file: Extract<Item, { kind: "file" }>["file"],
    placing: Placing,
    was?: AppliedItem,
  ): Promise<void> {
    const { machine } = this.#options;
    const { path } = file;
    if (was === undefined && file.keepsExisting && (await isThere(machine, path)))
      throw new Error(`${path} is there already, and is not to be overwritten`);
    let { content } = file;
    if (file.append) {
      if (was !== undefined)
        throw new Error("what was added to a file cannot be changed: write the file whole");
      const before = await readFile(at(machine, path)).catch(() => Buffer.alloc(0));
      content = Buffer.concat([before, content]);
    }
    await placing.file(path, content, this.#rights(file));
    this.units.noteFile(path);
  }

  async #placeUser(
    user: UserConfig,
    was: AppliedItem | undefined,
    placing: Placing,
  ): Promise<Omit<Made, "made">> {
    const { accounts, machine } = this.#options;
    const shell = user.shell ?? ((await isThere(machine, "/bin/bash")) ? "/bin/bash" : "/bin/sh");
    const home = user.home ?? (user.system ? "/var/empty" : `/home/${user.name}`);
    await accounts.placeUser(user, home, shell, placing);
    if (accounts.isOfImage(user.name)) {
      if (user.passwordHash === undefined && was?.previousPassword === undefined) return {};
      const before = was?.previousPassword ?? (await this.#password(user.name));
      await this.#setPassword(user.name, user.passwordHash ?? before);
      return user.passwordHash === undefined ? {} : { previousPassword: before };
    }
    // A home is made once and never removed: what is in it is the user's.
    if (user.createsHome && !(await isThere(machine, home))) {
      const rights = { uid: accounts.uid(user.name), gid: accounts.primaryGid(user.name), mode: 0o750 };
      await new Placing(machine, this.#options.originals, []).folder(home, rights);
    }
    return {};
  }

  async #placeUnit(
    unit: UnitConfig,
    was: AppliedItem | undefined,
    placing: Placing,
  ): Promise<Omit<Made, "made">> {
    const paths = unitPaths(unit);
    if (unit.masked) await placing.symlink(paths.file, "/dev/null", root);
    else if (unit.content !== undefined) await placing.file(paths.file, unit.content, readable);
    for (const { name, content } of unit.dropIns)
      await placing.file(`${paths.dropIns}/${name}`, content, readable);
    if (paths.wanted !== undefined) await placing.symlink(paths.wanted, paths.file, root);
    return await this.units.place(unit, was?.enabled);
  }

  async #editHosts(name: string | undefined): Promise<void> {
    const path = at(this.#options.machine, "/etc/hosts");
    const text = await readFile(path, "utf8").catch(() => "");
    const next = hostsWith(text, name);
    if (next !== text) await writeSynced(path, next, 0o644);
  }

  async #password(user: string): Promise<string> {
    const text = await readFile(at(this.#options.machine, "/etc/shadow"), "utf8").catch(() => "");
    return passwordIn(text, user) ?? "*";
  }

  async #setPassword(user: string, hash: string): Promise<void> {
    const path = at(this.#options.machine, "/etc/shadow");
    const before = await stat(path);
    const next = withPassword(await readFile(path, "utf8"), user, hash);
    if (next === undefined) throw new Error(`${user} is not in /etc/shadow`);
    await writeSynced(path, next, before.mode & 0o7777, (fresh) =>
      this.#options.machine.chown(fresh, before.uid, before.gid),
    );
  }

  async #secretFolder(): Promise<void> {
    await mkdir(at(this.#options.machine, "/etc/credstore"), { recursive: true, mode: 0o700 });
  }

  #rights({ user, group, mode }: { user: string | number; group: string | number; mode: number }): Rights {
    const { accounts } = this.#options;
    return { uid: accounts.uid(user), gid: accounts.gid(group), mode };
  }

  #placing(was: AppliedItem | undefined): Placing {
    return new Placing(this.#options.machine, this.#options.originals, was?.made ?? []);
  }
}

/** For the record: what went wrong, without what was written. */
export function failureText(error: unknown): string {
  return describeError(error).slice(0, 500);
}

export const originalsFolder = (state: string): string => join(state, "originals");

// The agent's unit files on a machine. Nothing that is not in the manifest is ever overwritten or removed.
import { createHash } from "node:crypto";
import { access, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { readIfThere, removeIfThere, writeAtomically } from "./atomic-file.ts";
import type { UnitNote, WrittenUnit } from "./host.ts";
import { Manifest } from "./manifest.ts";
import { placeUnit } from "./unit-place.ts";
import type { UnitDirectories } from "./unit-place.ts";

export interface UnitInstaller {
  enable(paths: readonly string[]): Promise<void>;
  disable(names: readonly string[]): Promise<void>;
}

const hashOf = (body: string): string => createHash("sha256").update(body).digest("hex");

export class UnitFiles {
  readonly #manifest: Manifest;
  readonly #directories: UnitDirectories;
  readonly #installer: UnitInstaller;

  private constructor(manifest: Manifest, directories: UnitDirectories, installer: UnitInstaller) {
    this.#manifest = manifest;
    this.#directories = directories;
    this.#installer = installer;
  }

  static async open(
    manifestPath: string,
    directories: UnitDirectories,
    installer: UnitInstaller,
  ): Promise<UnitFiles> {
    const folders = [dirname(manifestPath), directories.systemd, directories.quadlet];
    await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
    return new UnitFiles(await Manifest.open(manifestPath), directories, installer);
  }

  get manifest(): Manifest["entries"] {
    return this.#manifest.entries;
  }

  async written(): Promise<ReadonlyMap<string, WrittenUnit>> {
    const all = [...this.#manifest.entries].map(async ([name, { path, service, enabled, note }]) => {
      const body = await readIfThere(path);
      const hash = body === undefined ? "" : hashOf(body);
      return [name, { name, hash, service, enabled, note }] as const;
    });
    return new Map(await Promise.all(all));
  }

  async write(
    name: string,
    body: string,
    note: UnitNote,
  ): Promise<{ readonly unit: WrittenUnit; readonly reload: boolean }> {
    const place = placeUnit(name, body, this.#directories);
    const known = this.#manifest.entries.get(name);
    if (known === undefined)
      await this.#refuseForeign(name, [place.path, ...this.#hidden(name, place.service)]);
    const { path, service, isQuadlet } = place;
    if (known?.enabled === true) await this.#installer.disable([name]);
    await this.#manifest.set(name, { path, service, isQuadlet, enabled: place.installs, note });
    await this.#dropIn(name, service, note.localImage);
    await writeAtomically(path, body);
    if (place.installs) await this.#installer.enable([name]);
    const unit = { name, hash: hashOf(body), service, enabled: place.installs, note };
    return { unit, reload: isQuadlet || place.installs || known !== undefined };
  }

  async note(name: string, note: UnitNote): Promise<void> {
    const known = this.#manifest.entries.get(name);
    if (known !== undefined) await this.#manifest.set(name, { ...known, note });
  }

  async body(name: string): Promise<string | undefined> {
    const known = this.#manifest.entries.get(name);
    return known && (await readIfThere(known.path));
  }

  async remove(name: string): Promise<{ readonly reload: boolean }> {
    const known = this.#manifest.entries.get(name);
    if (known === undefined) return { reload: false };
    if (known.enabled) await this.#installer.disable([name]);
    await removeIfThere(known.path);
    await this.#dropIn(name, known.service, undefined);
    await this.#manifest.delete(name);
    return { reload: known.isQuadlet || known.enabled };
  }

  /** `podman image pull` asks the registry even for an image that is here: a drop-in makes it look here instead. */
  async #dropIn(name: string, service: string, image: string | undefined): Promise<void> {
    if (!name.endsWith(".image")) return;
    const folder = join(this.#directories.systemd, `${service}.d`);
    if (image === undefined) return rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const text = `[Service]\nExecStart=\nExecStart=/usr/bin/podman image exists ${image}\n`;
    await writeAtomically(join(folder, "keelson.conf"), text);
  }

  /** Files of the machine itself that a unit of this name would hide. */
  #hidden(name: string, service: string): string[] {
    return this.#directories.foreign.flatMap((folder) =>
      [...new Set([name, service])].map((it) => join(folder, it)),
    );
  }

  async #refuseForeign(name: string, paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const isThere = await access(path).then(
        () => true,
        () => false,
      );
      if (!isThere) continue;
      throw new KeelError("KEEL-505", `${name}: the machine has a unit of its own there, ${path}`, {
        hint: "Give the unit another name.",
      });
    }
  }
}

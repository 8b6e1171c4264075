// The configuration as the policy reads it: looked up by what clients send, versions read once.
import { compareVersions, parseVersion, plainId } from "@keelson/omaha";
import type { Version } from "@keelson/omaha";
import type {
  UpdateApplication,
  UpdateChannel,
  UpdateGroup,
  UpdatePackage,
} from "../model/update-service.ts";
import { Windows } from "./windows.ts";

export interface ConfigurationRecords {
  readonly applications: readonly UpdateApplication[];
  readonly packages: readonly UpdatePackage[];
  readonly channels: readonly UpdateChannel[];
  readonly groups: readonly UpdateGroup[];
}

export interface KnownVersion {
  readonly text: string;
  readonly version: Version;
}

/** A group with what its policy needs, ready to be asked. */
export interface KnownGroup {
  readonly application: UpdateApplication;
  readonly record: UpdateGroup;
  readonly windows: Windows;
  /** The channel's floors, the lowest first. */
  readonly floors: readonly (KnownVersion & { readonly reason: string })[];
  /** Where it is to go, by architecture: the pin, or the channel's version. */
  goal(architecture: string): KnownVersion | undefined;
}

/** What people configured. Made anew when they change it. */
export class Configuration {
  readonly #applications = new Map<string, UpdateApplication>();
  readonly #packages = new Map<string, UpdatePackage>();
  readonly #groups = new Map<string, KnownGroup>();
  readonly #byName = new Map<string, KnownGroup>();

  constructor({ applications, packages, channels, groups }: ConfigurationRecords) {
    for (const one of applications) this.#applications.set(one.id, one);
    for (const one of packages) this.#packages.set(packageKey(one), one);
    const byName = new Map(channels.map((one) => [`${one.application}/${one.name}`, one]));
    const known = groups.flatMap((record) => {
      const application = this.#applications.get(record.application);
      const channel = byName.get(`${record.application}/${record.channel}`);
      return application === undefined ? [] : [knownGroup(application, record, channel)];
    });
    // A name comes before another group's further names.
    for (const group of known) {
      for (const track of group.record.tracks) {
        const key = `${group.application.id}/${plainId(track)}`;
        if (!this.#groups.has(key)) this.#groups.set(key, group);
      }
    }
    for (const group of known) {
      this.#groups.set(`${group.application.id}/${plainId(group.record.name)}`, group);
      this.#byName.set(`${group.application.id}/${group.record.name}`, group);
    }
  }

  /** By its id without braces, in lower case. */
  application(id: string): UpdateApplication | undefined {
    return this.#applications.get(id);
  }

  /** By whatever a client calls it. */
  group(application: string, track: string): KnownGroup | undefined {
    return (
      this.#byName.get(`${application}/${track}`) ?? this.#groups.get(`${application}/${plainId(track)}`)
    );
  }

  /** By its own name. */
  groupNamed(application: string, name: string): KnownGroup | undefined {
    return this.#byName.get(`${application}/${name}`);
  }

  /** What can be given; not what is retired. */
  package(application: string, version: string, architecture: string): UpdatePackage | undefined {
    const found = this.#packages.get(`${application}/${version}@${architecture}`);
    return found?.retired === true ? undefined : found;
  }

  groups(): Iterable<KnownGroup> {
    return this.#byName.values();
  }
}

function packageKey({ application, version, architecture }: UpdatePackage): string {
  return `${application}/${version}@${architecture}`;
}

function knownGroup(
  application: UpdateApplication,
  record: UpdateGroup,
  channel: UpdateChannel | undefined,
): KnownGroup {
  const { pin, windows } = record.policy;
  const pinned = pin === null ? undefined : knownVersion(pin);
  const goals = new Map(
    Object.entries(channel?.versions ?? {}).map(([architecture, { version }]) => [
      architecture,
      knownVersion(version),
    ]),
  );
  return {
    application,
    record,
    windows: new Windows(windows),
    floors: (channel?.floors ?? [])
      .map(({ version, reason }) => ({ ...knownVersion(version), reason }))
      .sort((a, b) => compareVersions(a.version, b.version)),
    goal: (architecture) => pinned ?? goals.get(architecture),
  };
}

/** Records hold readable versions only. */
function knownVersion(text: string): KnownVersion {
  return { text, version: parseVersion(text) ?? { numbers: [], preRelease: [], build: "" } };
}

// Where a unit's file lies and what systemd calls it.
import { isQuadletUnitType, parseUnitName, serviceNameOf, UnitFile } from "@keelson/systemd";

export interface UnitDirectories {
  readonly systemd: string;
  readonly quadlet: string;
  /** Where the machine's own units lie, which the agent must not hide. */
  readonly foreign: readonly string[];
}

export const unitDirectories: UnitDirectories = {
  systemd: "/run/systemd/system",
  quadlet: "/run/containers/systemd",
  foreign: [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/etc/containers/systemd",
    "/usr/share/containers/systemd",
  ],
};

export interface UnitPlace {
  readonly path: string;
  /** systemd's unit. */
  readonly service: string;
  readonly isQuadlet: boolean;
  /** Whether the file has an [Install] section that systemd, and not podman's generator, carries out. */
  readonly installs: boolean;
}

/** @throws SystemdError when the name or the file cannot be read */
export function placeUnit(name: string, body: string, directories: UnitDirectories): UnitPlace {
  const file = UnitFile.parse(body, { file: name });
  const isQuadlet = isQuadletUnitType(parseUnitName(name).type);
  return {
    path: `${isQuadlet ? directories.quadlet : directories.systemd}/${name}`,
    service: serviceNameOf(name, file),
    isQuadlet,
    installs: !isQuadlet && file.has("Install"),
  };
}

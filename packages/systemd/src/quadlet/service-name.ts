import type { UnitFile } from "../unit-file/unit-file.ts";
import { isQuadletUnitType, parseUnitName, type QuadletUnitType } from "../name/unit-name.ts";
import { quadletValue } from "./value.ts";

/** The section of a Quadlet file that podman reads. */
export const quadletSections: Readonly<Record<QuadletUnitType, string>> = {
  container: "Container",
  volume: "Volume",
  network: "Network",
  pod: "Pod",
  kube: "Kube",
  build: "Build",
  image: "Image",
};

const NAME_ENDS: Readonly<Record<QuadletUnitType, string>> = {
  container: "",
  kube: "",
  volume: "-volume",
  network: "-network",
  pod: "-pod",
  build: "-build",
  image: "-image",
};

/**
 * The service that podman 5.4 generates from a Quadlet file: `web.container` gives `web.service`, `data.volume`
 * gives `data-volume.service`. The type's name goes before the suffix even in templates (`data@.volume` gives
 * `data@-volume.service`, which is an instance for systemd). `ServiceName=` in the file replaces all before
 * `.service`, taken literally: `ServiceName=a.service` gives `a.service.service`.
 *
 * A file named `web@1.container` is a Quadlet of its own and gives `web@1.service`; podman does not look at
 * `web@.container` for it. With a symlink of that name to the template it generates the same, from the
 * template's text. Nowhere does podman expand specifiers in the names of other Quadlets.
 * @param file the file's content, looked at for `ServiceName=` only
 * @returns the name itself for what is no Quadlet
 * @throws SystemdError `invalid-name`
 */
export function serviceNameOf(name: string, file?: UnitFile): string {
  const parsed = parseUnitName(name);
  const { type } = parsed;
  if (!isQuadletUnitType(type)) return name;
  const chosen = file && quadletValue(file, quadletSections[type], "ServiceName");
  if (chosen !== undefined) return parseUnitName(`${chosen}.service`).name;
  return parseUnitName(`${name.slice(0, -type.length - 1)}${NAME_ENDS[type]}.service`).name;
}

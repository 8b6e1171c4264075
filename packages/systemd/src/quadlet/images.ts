import { parseUnitName } from "../name/unit-name.ts";
import type { Position } from "../unit-file/item.ts";
import type { UnitFile } from "../unit-file/unit-file.ts";
import { readMount } from "./mount.ts";
import { quadletValue, unquoted } from "./value.ts";

/** An image that must be had before the unit can run. */
export interface ImageUse {
  /** As written, short names and specifiers included. */
  readonly image: string;
  readonly position: Position;
}

const isQuadlet = (image: string): boolean => /\.(?:image|build)$/.test(image);

/**
 * The images that a Quadlet file names itself: `Image=` of containers, image files and image-backed volumes, and
 * mounts of type image. Those behind a reference to an `.image` or `.build` file are found in that file; those of
 * a `.kube` file in its YAML.
 */
export function imagesUsed(name: string, file: UnitFile): ImageUse[] {
  const { type } = parseUnitName(name);
  const sections: Readonly<Record<string, string>> = {
    container: "Container",
    image: "Image",
    volume: "Volume",
  };
  const section = sections[type];
  if (section === undefined) return [];
  if (type === "volume" && quadletValue(file, section, "Driver") !== "image") return [];
  const named = file.listAssignments(section, "Image").slice(-1);
  const uses = named.map(({ value, valuePosition }) => ({ image: unquoted(value), position: valuePosition }));
  const mounted = file.listAssignments(section, "Mount").flatMap(({ value, valuePosition }) => {
    const mount = readMount(value);
    return mount.type === "image" && mount.source !== undefined
      ? [{ image: mount.source, position: valuePosition }]
      : [];
  });
  return [...uses, ...mounted].filter(({ image }) => image !== "" && !isQuadlet(image));
}

/** The name under which containers find what an `.image` or `.build` file brings; undefined for other kinds. */
export function imageProvided(name: string, file: UnitFile): string | undefined {
  const { type } = parseUnitName(name);
  if (type === "build") return quadletValue(file, "Build", "ImageTag");
  if (type === "image")
    return quadletValue(file, "Image", "ImageTag") ?? quadletValue(file, "Image", "Image");
  return undefined;
}

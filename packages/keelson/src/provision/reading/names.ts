// What may be written where a name, a path or a number of rights is meant. Shared by cloud-config and Ignition.
import { isUnitName } from "@keelson/systemd";
import type { Field } from "./field.ts";

export const userPattern = /^[a-z_][a-z0-9_-]{0,30}$/;
const hostPattern =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const keyPattern =
  /^(?:[\w",=@.:*?!/ -]{1,1000} )?(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com|ssh-[a-z0-9-]+-cert-v01@openssh\.com) [A-Za-z0-9+/]{20,16384}={0,3}(?: .*)?$/;

/** Beginnings of what may be written to; the rest is the image's and read-only. */
export const writablePlaces = ["/etc", "/var", "/run", "/home", "/root", "/opt", "/srv", "/tmp"] as const;

/** Files that have a field of their own, or that the machine cannot be without. */
const reserved: Readonly<Record<string, string>> = {
  "/etc/passwd": "Use `users`.",
  "/etc/shadow": "Use `users` with `passwd`.",
  "/etc/group": "Use `groups`.",
  "/etc/gshadow": "Use `groups`.",
  "/etc/machine-id": "Every machine makes its own.",
  "/etc/credstore/keelson.config": "Use the section `keelson`.",
};

export function readUserName(field: Field): string | undefined {
  return field.matching(
    userPattern,
    "a name of a-z, 0-9, - and _, at most 31 characters",
    "Begin with a letter, in small letters.",
  );
}

/** Also with a placeholder in it. */
export function readHostName(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  if (hostPattern.test(text)) return text;
  return field.error(
    "must be a host name: letters, digits and -, at most 63 characters between dots",
    "Take a name like web-1.",
  );
}

export function readUnitName(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  if (/^[\w:.@-]{1,240}\.(?:network|netdev|link)$/.test(text) || isUnitName(text)) return text;
  return field.error("must be the name of a unit with its suffix", "Take a name like web.service.");
}

/** A public key as it stands in authorized_keys(5), options included. */
export function readKeys(fields: readonly Field[]): readonly string[] {
  return fields.flatMap((field) => {
    const key = field.text()?.trim();
    if (key === undefined || key === "") return [];
    if (isPublicKey(key)) return [key];
    field.error("must be one public SSH key", "Paste the line of the .pub file, never the private key.");
    return [];
  });
}

export function isPublicKey(line: string): boolean {
  return !/[\r\n]/.test(line) && keyPattern.test(line);
}

/** An absolute path without tricks, in a place that may be written. */
export function readPath(field: Field): string | undefined {
  const path = field.text();
  if (path === undefined) return undefined;
  const hasTricks =
    path.length > 1024 ||
    /\p{Cc}/u.test(path) ||
    path.split("/").some((part) => part === ".." || part === ".");
  if (!/^\/[^/]/.test(path) || path.endsWith("/") || path.includes("//") || hasTricks)
    return field.error(
      "must be an absolute path without . and ..",
      "Write the path in full, like /etc/motd.",
    );
  if (Object.hasOwn(reserved, path)) return field.error("is not written as a file", reserved[path] ?? "");
  if (!writablePlaces.some((place) => path.startsWith(`${place}/`)))
    return field.error(
      "is in the read-only part of the system",
      `Write below ${writablePlaces.slice(0, -1).join(", ")}; what belongs to the system comes with its image.`,
    );
  return path;
}

/** `0644`, `644` or `"0644"`: always octal, as CoreOS read it. */
export function readPermissions(field: Field): number | undefined {
  const text = field.matching(
    /^(?:0o?)?[0-7]{3,4}$/,
    "permissions in octal, like 0644",
    "Write 0644 or 0600.",
  );
  return text === undefined ? undefined : Number.parseInt(text.replace("o", ""), 8);
}

/** `user`, `user:group`, names or numbers. */
export function readOwner(field: Field): { user: string | number; group: string | number } | undefined {
  const text = field.matching(
    /^(?:[a-z_][a-z0-9_-]{0,30}|\d{1,9})(?:[:.](?:[a-z_][a-z0-9_-]{0,30}|\d{1,9}))?$/,
    "an owner like root or core:users",
    "Write user:group.",
  );
  if (text === undefined) return undefined;
  const [user = "root", group] = text.split(/[:.]/).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return { user, group: group ?? user };
}

/** Below this many bytes unpacked; a bomb is refused as soon as it is more. */
export const maxContentBytes = 1 << 20;

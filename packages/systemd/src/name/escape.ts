/** Text and paths as parts of unit names, the way systemd-escape(1) writes them. */
import { SystemdError } from "../error.ts";

const PLAIN = /[A-Za-z0-9:_.]/;

/** `a b/c-d` gives `a\x20b-c\x2dd`; characters beyond ASCII are escaped byte by byte. */
export function escapeUnitName(text: string): string {
  if (!text.isWellFormed() || text.includes("\0"))
    return refuse(text, "holds NUL or half of a surrogate pair");
  let escaped = "";
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    const hidden = escaped === "" && character === ".";
    if (character === "/") escaped += "-";
    else if (PLAIN.test(character) && !hidden) escaped += character;
    else escaped += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return escaped;
}

/** The inverse of {@link escapeUnitName}. @throws SystemdError `invalid-name` for a broken escape. */
export function unescapeUnitName(escaped: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < escaped.length; at += 1) {
    const character = escaped[at] ?? "";
    if (character === "-") {
      bytes.push(0x2f);
    } else if (character === "\\") {
      const hex = /^x([0-9a-fA-F]{2})/.exec(escaped.slice(at + 1, at + 4))?.[1];
      if (hex === undefined || hex === "00") return refuse(escaped, `has a broken escape at ${at + 1}`);
      bytes.push(Number.parseInt(hex, 16));
      at += 3;
    } else {
      bytes.push(...Buffer.from(String.fromCodePoint(escaped.codePointAt(at) ?? 0)));
      if (/[\uD800-\uDBFF]/.test(character)) at += 1;
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch (cause) {
    throw new SystemdError("invalid-name", `${JSON.stringify(escaped)} does not stand for UTF-8 text`, {
      cause,
    });
  }
}

/**
 * A path as in `systemd-escape --path`: `/var//log/` gives `var-log`, `/` gives `-`. A relative path is taken
 * as if it began at the root. @throws SystemdError `invalid-name` if `..` is a part of it, or it is only `.`.
 */
export function escapePath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) return refuse(path, "has .. in it, so no unit name can stand for it");
  if (parts.length === 0 && path.startsWith(".")) return refuse(path, "names no place in the file system");
  return parts.length === 0 ? "-" : escapeUnitName(parts.join("/"));
}

/** The inverse of {@link escapePath}; always absolute. @throws SystemdError `invalid-name` */
export function unescapePath(escaped: string): string {
  if (escaped === "-") return "/";
  const parts = escaped === "" ? [""] : unescapeUnitName(escaped).split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return refuse(escaped, "does not stand for a normal path");
  }
  return `/${parts.join("/")}`;
}

function refuse(text: string, why: string): never {
  throw new SystemdError("invalid-name", `${JSON.stringify(text)} ${why}`);
}

/** Object paths of units: each byte that is no letter or digit is written `_xx`, and so is a leading digit. */
const UNIT_ROOT = "/org/freedesktop/systemd1/unit/";

/** `web.service` gives `/org/freedesktop/systemd1/unit/web_2eservice`. */
export function unitPath(name: string): string {
  let escaped = "";
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z]/.test(character) || (escaped !== "" && /[0-9]/.test(character));
    escaped += plain ? character : `_${byte.toString(16).padStart(2, "0")}`;
  }
  return UNIT_ROOT + (escaped === "" ? "_" : escaped);
}

/** The inverse of {@link unitPath}; undefined for paths of other objects. */
export function unitNameOfPath(path: string): string | undefined {
  if (!path.startsWith(UNIT_ROOT)) return undefined;
  const escaped = path.slice(UNIT_ROOT.length);
  return escaped.replace(/_([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

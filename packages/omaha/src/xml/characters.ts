// Which characters XML 1.0 has, which of them make names, and how they are referred to.
// Source: https://www.w3.org/TR/xml/#charsets

/** Whether a code point is a character of XML 1.0. */
export function isCharacter(code: number): boolean {
  return code < 0x20
    ? code === 0x09 || code === 0x0a || code === 0x0d
    : code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

/** A code point as it is written: `U+0000`. */
export function nameOfCode(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** 1 for the characters that begin a name, 2 for those that only continue it. */
export const nameCharacters = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[A-Za-z_:]/.test(character) ? 1 : /[-.0-9]/.test(character) ? 2 : 0;
});

const named: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** The character that `&body;` stands for, or undefined. */
export function referred(body: string): string | undefined {
  const digits = /^#(?:x([0-9A-Fa-f]+)|([0-9]+))$/.exec(body);
  if (!digits) return named.get(body);
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  return isCharacter(code) ? String.fromCodePoint(code) : undefined;
}

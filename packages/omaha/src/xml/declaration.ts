// The XML declaration that a document may begin with.

/** As nearly all clients and servers write it. */
const usualDeclaration = '<?xml version="1.0" encoding="UTF-8"?>';
/** Characters that are looked at. */
const LONGEST_DECLARATION = 200;
const space = "[ \\t\\r\\n]";
/** An attribute of the declaration, in either quotes, which `quote` tells apart. */
const given = (name: string, value: string, quote: string): string =>
  `${space}+${name}${space}*=${space}*(?<${quote}>["'])${value}\\k<${quote}>`;
const declarationForm = new RegExp(
  `^<\\?xml${given("version", "1\\.0", "v")}` +
    `(?:${given("encoding", "(?<encoding>[\\w.-]*)", "e")})?` +
    `(?:${given("standalone", "(?:yes|no)", "s")})?${space}*\\?>`,
);

/**
 * How long the declaration at `start` is: 0 when there is none. Instead of a length, what is wrong with one that is
 * of another version than 1.0, of another encoding than UTF-8, or that cannot be read.
 */
export function declarationLength(text: string, start: number): number | string {
  if (text.startsWith(usualDeclaration, start)) return usualDeclaration.length;
  if (!/^<\?xml[ \t\r\n]/.test(text.slice(start, start + 6))) return 0;
  const found = declarationForm.exec(text.slice(start, start + LONGEST_DECLARATION));
  if (!found) return "an XML declaration that cannot be read";
  const encoding = found.groups?.["encoding"] ?? "UTF-8";
  return /^(utf-?8|us-ascii)$/i.test(encoding) ? found[0].length : "an encoding other than UTF-8";
}

// Forms as Go's net/http reads them: the clients of the keys API rely on its rules.
import { KeysRefusal } from "./refusal.ts";

/** The values of each name, in the order in which they came. */
export type Form = ReadonlyMap<string, readonly string[]>;

/** What was sent as the body comes before what stands in the query. Refused: invalidForm. */
export function readForm(body: string, query: string): Form {
  const form = new Map<string, string[]>();
  readInto(form, body);
  readInto(form, query);
  return form;
}

function readInto(form: Map<string, string[]>, text: string): void {
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    if (pair.includes(";")) throw new KeysRefusal("invalidForm", "invalid semicolon separator in query");
    const equals = pair.indexOf("=");
    const name = unescape(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : unescape(pair.slice(equals + 1));
    const values = form.get(name);
    if (values === undefined) form.set(name, [value]);
    else values.push(value);
  }
}

/** Text is UTF-8; what is none becomes U+FFFD. */
function unescape(text: string): string {
  const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(text);
  if (bad !== null) throw new KeysRefusal("invalidForm", `invalid URL escape ${JSON.stringify(bad[0])}`);
  return percentDecode(text.replaceAll("+", " "));
}

/** `%XX` as bytes of UTF-8. The escapes must be whole. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = Buffer.from(text, "utf8")
    .toString("latin1")
    .replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

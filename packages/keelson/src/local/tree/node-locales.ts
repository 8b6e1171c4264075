// Node carries ICU's data of every language and character set, a third of what it weighs when it travels. Machines
// speak English and UTF-8: what else is there is blanked in the file, as a build of Node with “small ICU” leaves it out.

/** An ICU package of data: header, number of items, then for each the places of its name and of its content. */
interface Package {
  /** Where places are counted from. */
  readonly table: number;
  readonly items: readonly Item[];
}

interface Item {
  readonly name: string;
  readonly nameAt: number;
  readonly at: number;
}

const dataFormat = Buffer.from("CmnD");
/** Of the header's fields, up to the format. */
const formatAt = 12;
const magic = 0x27da;
const entryBytes = 8;
const mostItems = 100_000;

/** Whether an item is of use to who speaks English and UTF-8; `name` as ICU has it: `icudt78l/coll/de.res`. */
export function isKeptItem(name: string): boolean {
  const parts = name.split("/").slice(1);
  const file = parts.at(-1) ?? "";
  const folder = parts.length > 1 ? parts[0] : "";
  // Spelling in other scripts, and numbers in words.
  if (folder === "translit" || folder === "rbnf") return false;
  // Character sets; UTF-8, UTF-16, Latin 1 and ASCII are code, not data.
  if (file.endsWith(".cnv")) return false;
  // Where words end in scripts without spaces: dictionaries, and models.
  if (folder === "brkitr" && (file.endsWith(".dict") || /^[A-Z]|^jaml/.test(file))) return false;
  return !/^(?!en[_.])[a-z]{2,3}(_\w+)?\.res$/.test(file);
}

/** Blanks the items that are not kept, in place. Returns how many bytes that are; 0 when there is no such data. */
export function keepEnglish(binary: Buffer): number {
  const found = findPackage(binary);
  if (found === undefined) return 0;
  const { table, items } = found;
  let blanked = 0;
  let end = table + 4;
  for (const [index, { name, nameAt, at }] of items.entries()) {
    const next = items[index + 1];
    // The last item's end is not stated.
    if (isKeptItem(name) || next === undefined) {
      binary.writeUInt32LE(nameAt, end);
      binary.writeUInt32LE(at, end + 4);
      end += entryBytes;
      continue;
    }
    binary.fill(0, table + at, table + next.at);
    binary.fill(0, table + nameAt, table + nameAt + name.length);
    blanked += next.at - at;
  }
  const left = (end - table - 4) / entryBytes;
  binary.fill(0, end, table + 4 + items.length * entryBytes);
  binary.writeUInt32LE(left, table);
  return blanked;
}

function findPackage(binary: Buffer): Package | undefined {
  for (let at = binary.indexOf(dataFormat); at >= 0; at = binary.indexOf(dataFormat, at + 1)) {
    const header = at - formatAt;
    if (header < 0 || binary.readUInt16LE(header + 2) !== magic) continue;
    const table = header + binary.readUInt16LE(header);
    const items = readItems(binary, table);
    if (items !== undefined) return { table, items };
  }
  return undefined;
}

/** Undefined for what only looks like a table. */
function readItems(binary: Buffer, table: number): readonly Item[] | undefined {
  if (table + 4 > binary.length) return undefined;
  const count = binary.readUInt32LE(table);
  const names = table + 4 + count * entryBytes;
  if (count < 1 || count > mostItems || names > binary.length) return undefined;
  const items: Item[] = [];
  for (let index = 0; index < count; index++) {
    const entry = table + 4 + index * entryBytes;
    const nameAt = binary.readUInt32LE(entry);
    const at = binary.readUInt32LE(entry + 4);
    const before = items.at(-1)?.at ?? 0;
    if (table + nameAt < names || at <= before || table + at >= binary.length) return undefined;
    const end = binary.indexOf(0, table + nameAt);
    if (end < 0) return undefined;
    items.push({ name: binary.toString("latin1", table + nameAt, end), nameAt, at });
  }
  return items;
}

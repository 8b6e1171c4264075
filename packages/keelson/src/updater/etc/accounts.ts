// Joins the machine's accounts with those of a new version of the image: pure, over the texts of passwd(5), group(5),
// shadow(5) and gshadow(5).
// Invariants: what the machine has is never lost or changed but for members that a group gains; every account of
// the image exists; no number is given twice.

export const accountFiles = ["passwd", "group", "shadow", "gshadow"] as const;
export type AccountFile = (typeof accountFiles)[number];
export type Accounts = Readonly<Record<AccountFile, string>>;

/** Numbers of system accounts, given from above as systemd-sysusers does. */
const systemIds = { most: 999, least: 100 } as const;

/** The machine's accounts, with those of the image that it does not have. */
export function joinAccounts(machine: Accounts, image: Accounts): Accounts {
  const group = joinNumbered(machine.group, image.group);
  const passwd = joinNumbered(machine.passwd, image.passwd, group.renumbered);
  return {
    passwd: passwd.text,
    group: joinMembers(group.text, image.group),
    shadow: joinNamed(machine.shadow, image.shadow),
    gshadow: joinNamed(machine.gshadow, image.gshadow),
  };
}

const fieldsOf = (text: string): readonly (readonly string[])[] =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(":"));

const textOf = (lines: readonly (readonly string[])[]): string =>
  lines.map((fields) => `${fields.join(":")}\n`).join("");

function missing(machine: string, image: string): readonly (readonly string[])[] {
  const known = new Set(fieldsOf(machine).map(([name]) => name));
  return fieldsOf(image).filter(([name = ""]) => {
    if (name === "" || known.has(name)) return false;
    known.add(name);
    return true;
  });
}

function joinNamed(machine: string, image: string): string {
  return textOf([...fieldsOf(machine), ...missing(machine, image)]);
}

/** passwd and group have the number third, and passwd its group's fourth. A number that is taken gives way. */
function joinNumbered(
  machine: string,
  image: string,
  groups: ReadonlyMap<string, string> = new Map(),
): { readonly text: string; readonly renumbered: ReadonlyMap<string, string> } {
  const taken = new Set(fieldsOf(machine).map(([, , id]) => id ?? ""));
  const wanted = new Set(fieldsOf(image).map(([, , id]) => id ?? ""));
  const renumbered = new Map<string, string>();
  const added = missing(machine, image).map(([name = "", word = "", id = "", fourth, ...rest]) => {
    const given = taken.has(id) ? freeId(taken, wanted) : id;
    taken.add(given);
    if (given !== id) renumbered.set(id, given);
    const group = fourth === undefined ? [] : [groups.get(fourth) ?? fourth];
    return [name, word, given, ...group, ...rest];
  });
  return { text: textOf([...fieldsOf(machine), ...added]), renumbered };
}

function freeId(taken: ReadonlySet<string>, wanted: ReadonlySet<string>): string {
  let id: number = systemIds.most;
  while (id > systemIds.least && (taken.has(String(id)) || wanted.has(String(id)))) id--;
  // With nine hundred system accounts the next ones are numbered as systemd's dynamic users end.
  for (let next = 65_520; id === systemIds.least && taken.has(String(id)); next--)
    if (!taken.has(String(next))) return String(next);
  return String(id);
}

/** Members that the image gives a group which the machine has as well. */
function joinMembers(joined: string, image: string): string {
  const wanted = new Map(fieldsOf(image).map(([name = "", , , members = ""]) => [name, members]));
  return textOf(
    fieldsOf(joined).map((fields) => {
      const [name = "", word = "", id = "", members = "", ...rest] = fields;
      const all = [...members.split(","), ...(wanted.get(name) ?? "").split(",")].filter(Boolean);
      const list = [...new Set(all)].join(",");
      return fields.length < 4 ? fields : [name, word, id, list, ...rest];
    }),
  );
}

// The difference of two texts in the form of `diff -u`: shortest by lines (Myers 1986, the greedy algorithm).

export interface DiffSide {
  readonly label: string;
  readonly text: string;
}

interface Edit {
  readonly mark: " " | "-" | "+";
  readonly line: string;
}

const context = 3;
/** Texts that differ in more lines than this are shown as replaced as a whole. */
const mostDifferences = 2000;
const noNewline = "\\ No newline at end of file\n";

/** Empty when the texts are the same. */
export function unifiedDiff(from: DiffSide, to: DiffSide): string {
  if (from.text === to.text) return "";
  const edits = editsBetween(linesOf(from.text), linesOf(to.text));
  return `--- ${from.label}\n+++ ${to.label}\n${hunksOf(edits).join("")}`;
}

/** Each line with its end, so that a missing one at the end of the text is a difference. */
const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Common lines at both ends are set aside first: files mostly differ in a few places. */
function editsBetween(a: readonly string[], b: readonly string[]): Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const same = (line: string): Edit => ({ mark: " ", line });
  return [
    ...a.slice(0, start).map(same),
    ...shortest(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ];
}

function shortest(a: readonly string[], b: readonly string[]): Edit[] {
  const trace: ReadonlyMap<number, number>[] = [];
  const furthest = new Map<number, number>([[1, 0]]);
  const most = Math.min(a.length + b.length, mostDifferences);
  for (let distance = 0; distance <= most; distance++) {
    trace.push(new Map(furthest));
    for (let diagonal = -distance; diagonal <= distance; diagonal += 2) {
      const isDown = goesDown(furthest, diagonal, distance);
      let x = isDown ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      furthest.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return walkBack(a, b, trace);
    }
  }
  return [...a.map((line): Edit => ({ mark: "-", line })), ...b.map((line): Edit => ({ mark: "+", line }))];
}

/** Whether the furthest path to the diagonal comes from the one above, by a line of the second text. */
const goesDown = (furthest: ReadonlyMap<number, number>, diagonal: number, distance: number): boolean =>
  diagonal === -distance ||
  (diagonal !== distance && (furthest.get(diagonal - 1) ?? 0) < (furthest.get(diagonal + 1) ?? 0));

function walkBack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly ReadonlyMap<number, number>[],
): Edit[] {
  const edits: Edit[] = [];
  let x = a.length;
  let y = b.length;
  for (let distance = trace.length - 1; distance >= 0; distance--) {
    const furthest = trace[distance] ?? new Map<number, number>();
    const diagonal = x - y;
    const isDown = goesDown(furthest, diagonal, distance);
    const before = isDown ? diagonal + 1 : diagonal - 1;
    const beforeX = distance === 0 ? 0 : (furthest.get(before) ?? 0);
    const beforeY = distance === 0 ? 0 : beforeX - before;
    while (x > beforeX && y > beforeY) {
      x -= 1;
      y -= 1;
      edits.push({ mark: " ", line: a[x] ?? "" });
    }
    if (distance === 0) break;
    if (isDown) edits.push({ mark: "+", line: b[--y] ?? "" });
    else edits.push({ mark: "-", line: a[--x] ?? "" });
  }
  return edits.toReversed();
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  for (let at = 0; at < edits.length; at++) {
    if (edits[at]?.mark === " ") continue;
    const first = Math.max(0, at - context);
    let last = at;
    for (let next = at; next < edits.length && next <= last + 2 * context; next++) {
      if (edits[next]?.mark !== " ") last = next;
    }
    const end = Math.min(edits.length, last + context + 1);
    hunks.push(hunk(edits, first, end));
    at = last;
  }
  return hunks;
}

function hunk(edits: readonly Edit[], first: number, end: number): string {
  const count = (some: readonly Edit[], mark: "-" | "+"): number =>
    some.filter((edit) => edit.mark === " " || edit.mark === mark).length;
  const before = edits.slice(0, first);
  const shown = edits.slice(first, end);
  const range = (mark: "-" | "+"): string => {
    const length = count(shown, mark);
    const start = count(before, mark) + (length === 0 ? 0 : 1);
    return length === 1 ? `${mark}${start}` : `${mark}${start},${length}`;
  };
  const lines = shown.map(({ mark, line }) =>
    line.endsWith("\n") ? `${mark}${line}` : `${mark}${line}\n${noNewline}`,
  );
  return `@@ ${range("-")} ${range("+")} @@\n${lines.join("")}`;
}

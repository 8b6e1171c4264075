// How a path of the keys API stands in the store (docs/protocols/v2-keys.md). The file /a/b is the key "/a/b"; the
// directory /a is marked by the key "/a/", which no file's path can be; keys below a directory imply it too.
// Paths are byte strings, without the slash at their end: the root is "".

/** Marks a directory, and sorts before all that is in it. */
export const markerKey = (directory: string): string => `${directory}/`;

/** The key that records what the last write of the API was; it lies before all paths below the root. */
export const journalKey = (root: string): string => `${root}\0v2`;

/** Everything in a directory, its marker first. */
export function below(directory: string): { readonly key: string; readonly end: string } {
  return { key: `${directory}/`, end: `${directory}0` };
}

/** Everything in a directory but its marker. */
export function inside(directory: string): { readonly key: string; readonly end: string } {
  return { key: `${directory}/\0`, end: `${directory}0` };
}

/** The journal and all paths below the root. */
export function everything(root: string): { readonly key: string; readonly end: string } {
  return { key: journalKey(root), end: `${root}0` };
}

/** The directories above a path, topmost first, without the root. */
export function ancestors(path: string): readonly string[] {
  const found: string[] = [];
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}

/** The directory that a path lies in. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** A path with empty parts, "." and ".." taken away, as Go's path.Clean does. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.map((part) => `/${part}`).join("");
}

/** Whether a key of the store is a path of the API, or marks one. */
export function isPath(key: string): boolean {
  const path = key.endsWith("/") ? key.slice(0, -1) : key;
  return path !== "" && cleanPath(path) === path;
}

export const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

export const toText = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");

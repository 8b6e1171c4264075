/** Tells whether a name is among the names and shell patterns (`*`, `?`, `[a-z]`, `[!a]`), as systemd's own calls do. */
export function matcher(patterns: readonly string[]): (name: string) => boolean {
  const isGlob = (pattern: string): boolean => /[*?[]/.test(pattern);
  const names = new Set(patterns.filter((pattern) => !isGlob(pattern)));
  const globs = patterns.filter(isGlob).map(toRegExp);
  return (name) => names.has(name) || globs.some((glob) => glob.test(name));
}

function toRegExp(pattern: string): RegExp {
  const source = pattern.replace(
    /\*+|\?|\[(!?)([^\]]+)\]|[\s\S]/g,
    (token, not: string, set: string | undefined) => {
      if (token.startsWith("*")) return "[^]*";
      if (token === "?") return "[^]";
      if (set !== undefined) return `[${not === "" ? "" : "^"}${set.replace(/[\\\]^[]/g, "\\$&")}]`;
      return token.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
    },
  );
  return new RegExp(`^${source}$`);
}

/** What matters of a `Mount=` value here. */
export interface Mount {
  /** podman refuses a mount without one. */
  readonly type: string | undefined;
  readonly source: string | undefined;
}

/** Reads `type=volume,source=data.volume,destination=/data`: comma-separated, a field with commas in double quotes. */
export function readMount(value: string): Mount {
  let type: string | undefined;
  let source: string | undefined;
  for (const match of value.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    const field = match[1]?.replaceAll('""', '"') ?? match[2] ?? "";
    const equals = field.indexOf("=");
    const key = field.slice(0, equals);
    if (key === "type") type = field.slice(equals + 1);
    if (key === "source" || key === "src") source = field.slice(equals + 1);
  }
  return { type, source };
}

// Reads Prometheus' text format strictly: whatever is not as the format says is an error.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/

export interface Family {
  readonly type: string;
  readonly help: string;
  /** Values by name and labels as they stand in the text. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\n"])*"`;
const SAMPLE = new RegExp(
  `^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (NaN|[+-]Inf|[+-]?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`,
);

/** Throws for a text that is not in the format. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  let current: string | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, helped, help] = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line) ?? [];
    const [, typed, type] = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line) ?? [];
    if (helped !== undefined && help !== undefined) {
      if (families.has(helped)) throw new Error(`${helped} comes twice`);
      families.set(helped, { type: "", help, samples: new Map() });
      current = helped;
    } else if (typed !== undefined && type !== undefined) {
      const family = families.get(typed);
      if (typed !== current || family === undefined || family.type !== "")
        throw new Error(`${typed} is out of place`);
      family.type = type;
    } else {
      const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
      const family = families.get(current ?? "");
      const suffixes = family?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (family === undefined || !suffixes.some((suffix) => name === `${current}${suffix}`)) {
        throw new Error(`no line of ${current}: ${line}`);
      }
      const key = `${name}${labels}`;
      if (family.samples.has(key)) throw new Error(`${key} comes twice`);
      family.samples.set(key, Number(value.replace("Inf", "Infinity")));
    }
  }
  for (const [name, family] of families) checkHistogram(name, family);
  return families;
}

function checkHistogram(name: string, { type, samples }: Family): void {
  if (type !== "histogram") return;
  let before = 0;
  for (const [key, value] of samples) {
    if (!key.startsWith(`${name}_bucket`)) {
      before = 0;
      continue;
    }
    if (value < before) throw new Error(`${key} is less than the bound below it`);
    before = value;
    if (!key.includes('le="+Inf"')) continue;
    const labels = key.slice(`${name}_bucket`.length).replace(/,?le="\+Inf"/, "");
    const count = samples.get(`${name}_count${labels === "{}" ? "" : labels}`);
    if (count !== value) throw new Error(`${key} is not the count`);
  }
}

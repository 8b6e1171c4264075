import type { Histogram } from "./histogram.ts";

export type Labels = Readonly<Record<string, string>>;

/** Content type of the text that {@link Exposition} writes. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One time series of a family: its labels and its value. */
export type Sample = readonly [labels: Labels, value: number];

/** Writes families in Prometheus' text format, version 0.0.4. */
export class Exposition {
  #text = "";

  get text(): string {
    return this.#text;
  }

  gauge(name: string, help: string, value: number | readonly Sample[]): void {
    this.#family({ name, help, type: "gauge" }, value);
  }

  counter(name: string, help: string, value: number | readonly Sample[]): void {
    this.#family({ name, help, type: "counter" }, value);
  }

  histogram(
    name: string,
    help: string,
    series: readonly (readonly [labels: Labels, histogram: Histogram])[],
  ): void {
    this.#head({ name, help, type: "histogram" });
    for (const [labels, histogram] of series) {
      const cumulative = histogram.cumulative();
      cumulative.forEach((count, place) => {
        const bound = histogram.bounds[place];
        this.#sample(
          `${name}_bucket`,
          { ...labels, le: bound === undefined ? "+Inf" : String(bound) },
          count,
        );
      });
      this.#sample(`${name}_sum`, labels, histogram.sum);
      this.#sample(`${name}_count`, labels, cumulative.at(-1) ?? 0);
    }
  }

  #family(
    family: { readonly name: string; readonly help: string; readonly type: string },
    value: number | readonly Sample[],
  ): void {
    this.#head(family);
    const samples: readonly Sample[] = typeof value === "number" ? [[{}, value]] : value;
    for (const [labels, number] of samples) this.#sample(family.name, labels, number);
  }

  #head({ name, help, type }: { readonly name: string; readonly help: string; readonly type: string }): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  #sample(name: string, labels: Labels, value: number): void {
    // In the order of their names, as Prometheus' own libraries write them; a bound comes last.
    const { le, ...others } = labels;
    const sorted = Object.entries(others).sort(([one], [other]) => (one < other ? -1 : 1));
    const pairs = [...sorted, ...(le === undefined ? [] : [["le", le] as const])].map(
      ([label, text]) => `${label}="${escaped(text)}"`,
    );
    this.#text += `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

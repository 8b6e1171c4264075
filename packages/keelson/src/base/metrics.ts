// Prometheus text exposition: counters and gauges, with labels.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(amount?: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

interface Family {
  readonly kind: "counter" | "gauge";
  readonly help: string;
  readonly values: Map<string, number>;
}

export class Metrics {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string): Counter {
    const { values } = this.#family(name, "counter", help);
    return {
      add(amount = 1, labels = {}) {
        const key = renderLabels(labels);
        values.set(key, (values.get(key) ?? 0) + amount);
      },
    };
  }

  gauge(name: string, help: string): Gauge {
    const { values } = this.#family(name, "gauge", help);
    return { set: (value, labels = {}) => void values.set(renderLabels(labels), value) };
  }

  /** The whole exposition, families in the order of their making. */
  render(): string {
    let text = "";
    for (const [name, { kind, help, values }] of this.#families) {
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
      for (const [labels, value] of values) text += `${name}${labels} ${value}\n`;
    }
    return text;
  }

  #family(name: string, kind: Family["kind"], help: string): Family {
    const known = this.#families.get(name);
    if (known) return known;
    const family: Family = { kind, help, values: new Map() };
    this.#families.set(name, family);
    return family;
  }
}

function renderLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

import type { Counter, Gauge, Metrics } from "../base/metrics.ts";

/** What Prometheus sees of a leader. */
export class LeaderMetrics {
  readonly #leading: Gauge;
  readonly #unplaced: Gauge;
  readonly #passMs: Gauge;
  readonly passes: Counter;
  readonly orders: Counter;

  constructor(metrics: Metrics) {
    this.#leading = metrics.gauge("keelson_leader", "1 on the machine that leads.");
    this.#unplaced = metrics.gauge("keelson_unplaced_instances", "Instances that have no machine to run on.");
    this.#passMs = metrics.gauge("keelson_scheduler_pass_milliseconds", "Duration of the last pass.");
    this.passes = metrics.counter("keelson_scheduler_passes_total", "Passes of the scheduler.");
    this.orders = metrics.counter("keelson_orders_written_total", "Orders written or taken back.");
    this.leads(false);
  }

  leads(leading: boolean): void {
    this.#leading.set(leading ? 1 : 0);
  }

  passed(ms: number, unplaced: number): void {
    this.passes.add();
    this.#passMs.set(Math.round(ms * 10) / 10);
    this.#unplaced.set(unplaced);
  }
}

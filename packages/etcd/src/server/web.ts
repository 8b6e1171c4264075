// What the server offers over HTTP/1.1: the JSON gateway, and pages about the server itself.

import type { RequestListener } from "node:http";
import type { EtcdError } from "../errors.ts";
import { Gateway, type GatewayOptions } from "./gateway/gateway.ts";
import type { Measured, ServerMetrics } from "./metrics/server-metrics.ts";
import { accessController, type AccessOptions } from "./pages/access.ts";
import { debugVarsPage } from "./pages/debug-vars.ts";
import { healthPages } from "./pages/health.ts";
import { metricsPage } from "./pages/metrics.ts";
import { versionPage } from "./pages/version.ts";
import { httpListener, type HttpTable } from "./transport/http.ts";

export interface WebOptions extends GatewayOptions, AccessOptions {
  readonly measured: Measured;
  readonly metrics: ServerMetrics;
  /** Whether the JSON gateway is served. */
  readonly gateway: boolean;
  /** Pages of other parts. */
  readonly pages?: HttpTable;
}

export class Web {
  readonly #gateway: Gateway;
  /** Answers on the ports of clients. */
  readonly forClients: RequestListener;
  /** Answers on ports that are for monitoring alone. */
  readonly forMonitoring: RequestListener;

  constructor(options: WebOptions) {
    const { measured, metrics, pages = new Map() } = options;
    this.#gateway = new Gateway(options);
    const monitoring: HttpTable = new Map([
      ...healthPages(measured.store, metrics),
      ...metricsPage(() => metrics.expose(measured)),
    ]);
    const { store } = measured;
    const state = () => ({
      revision: store.keyspace.revision,
      keys: store.keyspace.liveKeys,
      bytes: store.bytes,
    });
    const all: HttpTable = new Map([
      ...monitoring,
      ...versionPage,
      ...debugVarsPage(state),
      ...(options.gateway ? this.#gateway.pages : []),
      ...pages,
    ]);
    this.forMonitoring = httpListener(monitoring);
    this.forClients = accessController(httpListener(all), options);
  }

  /** Ends the calls that have many answers. */
  close(reason: EtcdError): void {
    this.#gateway.close(reason);
  }
}

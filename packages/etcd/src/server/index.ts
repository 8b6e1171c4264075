// The embedded etcd server.

export { checkStore, type StoreCheck } from "./check.ts";
export { EtcdServer, type EtcdServerStatus } from "./server.ts";
export type { EtcdServerOptions, LogFunction, LogLevel, MonotonicClock, ServerLimits } from "./options.ts";
export type { Address } from "./transport/listener.ts";

// The embedded etcd server.

export { checkStore, type StoreCheck } from "./check.ts";
export { restoreSnapshot, type Restored, type RestoreOptions } from "./backend/restore.ts";
export { EtcdServer, type EtcdServerStatus } from "./server.ts";
export type {
  AuthOptions,
  AutoCompactionOptions,
  EtcdServerOptions,
  ListenOptions,
  LogFunction,
  LogLevel,
  MonotonicClock,
  ServerLimits,
  TlsOptions,
} from "./options.ts";
export type { Address } from "./transport/listener.ts";

// The write-ahead log without the store: for programs that keep a state of their own as a fold over records.
export type { Disk, DiskFile } from "./disk.ts";
export { StoreDirectory } from "./directory.ts";
export type { DirectoryOptions } from "./directory.ts";
export type { LogRecord } from "./frame.ts";
export type { Log, Written } from "./log.ts";
export type { CutOff, Recovery } from "./recovery.ts";
export { EtcdError } from "../errors.ts";

// The Omaha update protocol without I/O. This version reads requests.
export { OmahaError } from "./error.ts";
export type { OmahaErrorCode } from "./error.ts";
export { readRequest } from "./request.ts";
export type { OmahaApp, OmahaEvent, OmahaRequest } from "./request.ts";

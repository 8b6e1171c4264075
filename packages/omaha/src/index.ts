// The Omaha update protocol 3.0, both ends, without I/O.
export { OmahaError } from "./error.ts";
export type { OmahaErrorCode, OmahaPosition } from "./error.ts";
export type { WithOthers } from "./fields.ts";
export { requestLimits, responseLimits } from "./limits.ts";
export type { MessageLimits } from "./limits.ts";
export { printRequest } from "./print-request.ts";
export { readRequest } from "./read-request.ts";
export type { OmahaApp, OmahaEvent, OmahaOs, OmahaPing, OmahaRequest, OmahaUpdateCheck } from "./request.ts";
export type { XmlLimits } from "./xml/element.ts";

// The Omaha update protocol 3.0, both ends, without I/O. Messages are read and printed; events, failures and
// versions are put into words and order; and an answer can be looked at as update_engine would.
export { answerTo, noUpdate } from "./answer.ts";
export { OmahaError } from "./error.ts";
export type { OmahaErrorCode, OmahaPosition } from "./error.ts";
export { describeEvent, eventResults, eventTypes, stageOf } from "./event.ts";
export type { UpdateStage } from "./event.ts";
export { actionCodes, decodeFailure, encodeFailure } from "./failure.ts";
export type { Failure, FailureCause, FailureFlag } from "./failure.ts";
export type { WithOthers } from "./fields.ts";
export { plainId } from "./identity.ts";
export { requestLimits, responseLimits } from "./limits.ts";
export type { MessageLimits } from "./limits.ts";
export { printRequest } from "./print-request.ts";
export { printResponse } from "./print-response.ts";
export { readRequest } from "./read-request.ts";
export { readResponse } from "./read-response.ts";
export type { OmahaApp, OmahaEvent, OmahaOs, OmahaPing, OmahaRequest, OmahaUpdateCheck } from "./request.ts";
export type {
  OmahaAcknowledgement,
  OmahaAction,
  OmahaAppAnswer,
  OmahaAppStatus,
  OmahaDayStart,
  OmahaManifest,
  OmahaPackage,
  OmahaResponse,
  OmahaUpdateAnswer,
  OmahaUpdateStatus,
  OmahaUrl,
} from "./response.ts";
export { pollBounds, pollSeconds, readAsUpdateEngine } from "./update-engine.ts";
export type { UpdateEngineReading } from "./update-engine.ts";
export { compareVersions, matchesVersionPrefix, parseVersion } from "./version.ts";
export type { Version } from "./version.ts";
export type { XmlLimits } from "./xml/element.ts";

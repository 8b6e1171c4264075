// What a server answers: for every application that it was asked about, that it heard it, and whether there is
// an update. Sources as in request.ts; the action's attributes with capitals are update_engine's.
import { fields } from "./fields.ts";
import type { WithOthers } from "./fields.ts";

export interface OmahaResponse extends WithOthers {
  /** `3.0`. */
  readonly protocol: string;
  /** Which server it is, for people. */
  readonly server?: string;
  readonly dayStart?: OmahaDayStart;
  /** One for every application of the request. */
  readonly apps: readonly OmahaAppAnswer[];
}

export interface OmahaDayStart extends WithOthers {
  /** Seconds since midnight at the server. */
  readonly elapsedSeconds?: number;
  /** Days since 2007-01-01 at the server. */
  readonly elapsedDays?: number;
}

/** The states of an application: those of the protocol and of go-omaha. Servers have others of their own. */
export type OmahaAppStatus =
  | "ok"
  | "restricted"
  | "error-unknownApplication"
  | "error-invalidAppId"
  | "error-invalidVersion"
  | "error-internal";

/**
 * The outcomes of a check: those of the protocol and of go-omaha. update_engine knows `ok` and `noupdate`; any
 * other makes it report a failed update (error 34), so that a "not now" has to be `noupdate`.
 */
export type OmahaUpdateStatus =
  | "ok"
  | "noupdate"
  | "error-internal"
  | "error-hash"
  | "error-osnotsupported"
  | "error-hwnotsupported"
  | "error-unsupportedProtocol"
  | "error-pluginRestrictedHost";

/** Text that is usually one of these. */
type Known<S extends string> = S | (string & {});

export interface OmahaAppAnswer extends WithOthers {
  /** As the request had it, braces and all. */
  readonly id: string;
  readonly status?: Known<OmahaAppStatus>;
  /** The client replaces what it has by this, also by an empty one; so with the next two. */
  readonly cohort?: string;
  readonly cohortHint?: string;
  readonly cohortName?: string;
  readonly experiments?: string;
  /** The ping was heard. */
  readonly ping?: OmahaAcknowledgement;
  readonly updateCheck?: OmahaUpdateAnswer;
  /** One for every event that was heard. */
  readonly events: readonly OmahaAcknowledgement[];
}

export interface OmahaAcknowledgement extends WithOthers {
  /** `ok`. */
  readonly status?: Known<"ok">;
}

export interface OmahaUpdateAnswer extends WithOthers {
  readonly status?: Known<OmahaUpdateStatus>;
  /** Seconds to the next check; update_engine takes it with `noupdate` too. See `pollSeconds`. */
  readonly pollInterval?: number;
  readonly info?: string;
  /** Places to download from, the preferred one first: the URL of a folder. */
  readonly urls: readonly OmahaUrl[];
  /** One; several (floors first) only for a client with `multiManifestOkay`. */
  readonly manifests: readonly OmahaManifest[];
}

export interface OmahaUrl extends WithOthers {
  /** update_engine puts a `/` and the package's name after it. */
  readonly codebase?: string;
}

export interface OmahaManifest extends WithOthers {
  /** Of the update, for people; update_engine installs whatever version it is. */
  readonly version?: string;
  /** A version that must not be skipped. */
  readonly isFloor?: boolean;
  readonly floorReason?: string;
  readonly isTarget?: boolean;
  /** The payload first: update_engine downloads only that one. */
  readonly packages: readonly OmahaPackage[];
  readonly actions: readonly OmahaAction[];
}

export interface OmahaPackage extends WithOthers {
  /** The name of the file. */
  readonly name?: string;
  /** SHA-1, base64. */
  readonly hash?: string;
  /** SHA-256: hexadecimal from Nebraska and Google, base64 from go-omaha. */
  readonly hashSha256?: string;
  /** Bytes. */
  readonly size?: number;
  readonly required?: boolean;
  readonly fingerprint?: string;
}

export interface OmahaAction extends WithOthers {
  /** `postinstall` is the one that update_engine reads. */
  readonly event?: string;
  /** The version to show. */
  readonly displayVersion?: string;
  /** SHA-256 of the payload, base64. */
  readonly sha256?: string;
  readonly needsAdmin?: boolean;
  /** A delta: the client does not wait longer from one attempt to the next. */
  readonly isDeltaPayload?: boolean;
  /** Attempts may follow each other at once instead of after 1, 2, 4, … 16 days. */
  readonly disablePayloadBackoff?: boolean;
  /** Failures of a URL before the next one is tried; 10 when absent. */
  readonly maxFailureCountPerUrl?: number;
  /** Base64; read by Chromium OS, no longer by CoreOS. */
  readonly metadataSignatureRsa?: string;
  /** Bytes of the payload's metadata; read by Chromium OS, no longer by CoreOS. */
  readonly metadataSize?: number;
  readonly deadline?: string;
  readonly moreInfo?: string;
  readonly prompt?: boolean;
  /** Older: the client waits a random time of up to so many days. */
  readonly maxDaysToScatter?: number;
  /** Older names of `isDeltaPayload` and of the two about metadata. */
  readonly isDelta?: boolean;
  readonly manifestSignatureRsa?: string;
  readonly manifestSize?: number;
  /** Of Google's client: what to run, with what, and then. */
  readonly run?: string;
  readonly arguments?: string;
  readonly successUrl?: string;
  readonly successAction?: string;
  readonly terminateAllBrowsers?: boolean;
}

// The order is that of Nebraska's answers; what it does not send follows.
export const responseFields = fields<Omit<OmahaResponse, "dayStart" | "apps" | "others">>([
  ["protocol", "protocol", "text"],
  ["server", "server", "text"],
]);

export const dayStartFields = fields<Omit<OmahaDayStart, "others">>([
  ["elapsed_seconds", "elapsedSeconds", "number"],
  ["elapsed_days", "elapsedDays", "number"],
]);

export const appAnswerFields = fields<Omit<OmahaAppAnswer, "ping" | "updateCheck" | "events" | "others">>([
  ["appid", "id", "text"],
  ["status", "status", "text"],
  ["cohort", "cohort", "text"],
  ["cohorthint", "cohortHint", "text"],
  ["cohortname", "cohortName", "text"],
  ["experiments", "experiments", "text"],
]);

export const acknowledgementFields = fields<Omit<OmahaAcknowledgement, "others">>([
  ["status", "status", "text"],
]);

export const updateAnswerFields = fields<Omit<OmahaUpdateAnswer, "urls" | "manifests" | "others">>([
  ["status", "status", "text"],
  ["PollInterval", "pollInterval", "number"],
  ["info", "info", "text"],
]);

export const urlFields = fields<Omit<OmahaUrl, "others">>([["codebase", "codebase", "text"]]);

export const manifestFields = fields<Omit<OmahaManifest, "packages" | "actions" | "others">>([
  ["version", "version", "text"],
  ["is_floor", "isFloor", "truth"],
  ["floor_reason", "floorReason", "text"],
  ["is_target", "isTarget", "truth"],
]);

export const packageFields = fields<Omit<OmahaPackage, "others">>([
  ["name", "name", "text"],
  ["hash", "hash", "text"],
  ["hash_sha256", "hashSha256", "text"],
  ["size", "size", "number"],
  ["required", "required", "truth"],
  ["fp", "fingerprint", "text"],
]);

export const actionFields = fields<Omit<OmahaAction, "others">>([
  ["event", "event", "text"],
  ["DisplayVersion", "displayVersion", "text"],
  ["sha256", "sha256", "text"],
  ["needsadmin", "needsAdmin", "truth"],
  ["IsDeltaPayload", "isDeltaPayload", "truth"],
  ["DisablePayloadBackoff", "disablePayloadBackoff", "truth"],
  ["MaxFailureCountPerUrl", "maxFailureCountPerUrl", "number"],
  ["MetadataSignatureRsa", "metadataSignatureRsa", "text"],
  ["MetadataSize", "metadataSize", "number"],
  ["deadline", "deadline", "text"],
  ["MoreInfo", "moreInfo", "text"],
  ["Prompt", "prompt", "truth"],
  ["MaxDaysToScatter", "maxDaysToScatter", "number"],
  ["IsDelta", "isDelta", "truth"],
  ["ManifestSignatureRsa", "manifestSignatureRsa", "text"],
  ["ManifestSize", "manifestSize", "number"],
  ["run", "run", "text"],
  ["arguments", "arguments", "text"],
  ["successurl", "successUrl", "text"],
  ["successaction", "successAction", "text"],
  ["terminateallbrowsers", "terminateAllBrowsers", "truth"],
]);

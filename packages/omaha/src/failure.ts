// What update_engine reports when an update failed: its list of action codes, and how a code is sent.
// The code of the action that failed is sent as `errorcode` of an event of type 3, with result 0, or 9 for the
// three that only defer (35, 36, 40). A generic 1 is first replaced by the action's own (2, 3, 4, 5). An answer
// with an HTTP status other than success is 2000 and the status. Four flags are or-ed in: a machine that asks any
// server but the public one sends 268435456 more. A fallback (44) is reported with the next check, without flags.
// Sources: https://github.com/flatcar/update_engine/blob/main/src/update_engine/action_processor.h and
// update_attempter.cc there. Chromium OS gives other meanings to codes from 42 on.

/** What lies behind a failure, to group by. */
export type FailureCause =
  | "server"
  | "network"
  | "payload"
  | "signature"
  | "disk"
  | "postinstall"
  | "fallback"
  | "policy"
  | "unknown";

interface ActionCode {
  readonly code: number;
  /** As update_engine's sources have it. */
  readonly name: string;
  readonly cause: FailureCause;
  /** What it means, in a sentence. */
  readonly meaning: string;
}

const rows: readonly (readonly [code: number, name: string, cause: FailureCause, meaning: string])[] = [
  [1, "Error", "unknown", "Something failed that has no code of its own."],
  [2, "OmahaRequestError", "network", "The request to the update server failed."],
  [
    3,
    "OmahaResponseHandlerError",
    "server",
    "The server’s answer was read, but no plan could be made of it.",
  ],
  [
    4,
    "FilesystemCopierError",
    "disk",
    "Copying the running system to the other slot, or reading it back, failed.",
  ],
  [5, "PostinstallRunnerError", "postinstall", "The new system’s postinstall program failed."],
  [6, "SetBootableFlagError", "disk", "The new slot could not be made bootable."],
  [7, "InstallDeviceOpenError", "disk", "The partition to install to could not be opened."],
  [8, "KernelDeviceOpenError", "disk", "The place for the new kernel could not be opened."],
  [9, "DownloadTransferError", "network", "The download broke off, or the URL answered with an error."],
  [10, "PayloadHashMismatchError", "payload", "The whole payload has another SHA-256 than the server said."],
  [11, "PayloadSizeMismatchError", "payload", "The payload has another size than the server said."],
  [12, "DownloadPayloadVerificationError", "signature", "The payload’s signature could not be checked."],
  [
    13,
    "DownloadNewPartitionInfoError",
    "payload",
    "The payload does not say what the new partitions must contain.",
  ],
  [14, "DownloadWriteError", "disk", "Writing what was downloaded failed."],
  [
    15,
    "NewRootfsVerificationError",
    "disk",
    "What was read back from the new slot is not what was to be written.",
  ],
  [16, "NewKernelVerificationError", "disk", "The kernel that was read back is not what was to be written."],
  [17, "SignedDeltaPayloadExpectedError", "signature", "The payload carries no signature."],
  [
    18,
    "DownloadPayloadPubKeyVerificationError",
    "signature",
    "The payload is not signed by the key this machine trusts.",
  ],
  [
    19,
    "PostinstallBootedFromFirmwareB",
    "postinstall",
    "The firmware runs from its second copy and must restart first.",
  ],
  [
    20,
    "DownloadStateInitializationError",
    "disk",
    "The state of an interrupted update could not be restored.",
  ],
  [
    21,
    "DownloadInvalidMetadataMagicString",
    "payload",
    "What came is no payload; often an error page of a proxy or a mirror.",
  ],
  [
    22,
    "DownloadSignatureMissingInManifest",
    "signature",
    "The payload’s manifest says nothing of a signature.",
  ],
  [23, "DownloadManifestParseError", "payload", "The payload’s manifest cannot be read."],
  [
    24,
    "DownloadMetadataSignatureError",
    "signature",
    "The signature of the payload’s metadata cannot be used.",
  ],
  [
    25,
    "DownloadMetadataSignatureVerificationError",
    "signature",
    "The signature of the payload’s metadata could not be checked.",
  ],
  [26, "DownloadMetadataSignatureMismatch", "signature", "The signature of the payload’s metadata is wrong."],
  [
    27,
    "DownloadOperationHashVerificationError",
    "payload",
    "The hash of a part of the payload could not be computed.",
  ],
  [28, "DownloadOperationExecutionError", "disk", "A part of the payload could not be applied."],
  [
    29,
    "DownloadOperationHashMismatch",
    "payload",
    "A part of the payload has another hash than its manifest says.",
  ],
  [30, "OmahaRequestEmptyResponseError", "server", "The server’s answer was empty."],
  [31, "OmahaRequestXMLParseError", "server", "The server’s answer was no XML."],
  [
    32,
    "DownloadInvalidMetadataSize",
    "payload",
    "The payload’s metadata has another size than the server said.",
  ],
  [
    33,
    "DownloadInvalidMetadataSignature",
    "signature",
    "The server’s signature of the metadata cannot be read.",
  ],
  [
    34,
    "OmahaResponseInvalid",
    "server",
    "The server’s answer lacks something, or has a status that is neither ok nor noupdate.",
  ],
  [35, "OmahaUpdateIgnoredPerPolicy", "policy", "The machine’s policy ignores this update."],
  [36, "OmahaUpdateDeferredPerPolicy", "policy", "The machine’s policy puts this update off."],
  [37, "OmahaErrorInHTTPResponse", "network", "The server answered with an HTTP error."],
  [38, "DownloadOperationHashMissingError", "payload", "A part of the payload has no hash in the manifest."],
  [39, "DownloadMetadataSignatureMissingError", "signature", "The server gave no signature of the metadata."],
  [
    40,
    "OmahaUpdateDeferredForBackoff",
    "policy",
    "The machine waits after earlier failures before it tries again.",
  ],
  [41, "PostinstallPowerwashError", "postinstall", "The wipe that was asked for could not be arranged."],
  [
    42,
    "NewPCRPolicyVerificationError",
    "postinstall",
    "The PCR values of the new system could not be verified.",
  ],
  [
    43,
    "NewPCRPolicyHTTPError",
    "network",
    "The PCR values of the new system could not be sent to their server.",
  ],
  [44, "RollbackError", "fallback", "The machine restarted after the update and still runs the old version."],
  [
    100,
    "DownloadIncomplete",
    "unknown",
    "The download was not complete; update_engine keeps this one to itself.",
  ],
];

/** update_engine's action codes by number; 0 is success. */
export const actionCodes: ReadonlyMap<number, ActionCode> = new Map(
  rows.map(([code, name, cause, meaning]) => [code, { code, name: `kActionCode${name}`, cause, meaning }]),
);

const HTTP_BASE = 2000;
const HTTP_TOP = 2999;

/** The circumstances that update_engine adds to a code, as bits. */
const flags = [
  ["dev-mode", 2 ** 31],
  ["resumed", 2 ** 30],
  ["test-image", 2 ** 29],
  ["own-server", 2 ** 28],
] as const;
const CODE = 2 ** 28;

/**
 * - `dev-mode`: the machine was not booted normally;
 * - `resumed`: an interrupted update went on;
 * - `test-image`: the image is marked as one for development;
 * - `own-server`: the machine does not ask the public server, which is no fault.
 */
export type FailureFlag = (typeof flags)[number][0];

export interface Failure {
  /** Without flags: what to count by. */
  readonly code: number;
  /** `kActionCode…`, or `unknown`. */
  readonly name: string;
  readonly cause: FailureCause;
  /** A sentence. */
  readonly meaning: string;
  /** The status, when the code is that of an HTTP answer. */
  readonly http?: number;
  readonly flags: readonly FailureFlag[];
}

/** What an `errorcode` of update_engine says; negative when the highest flag is set, as it prints a signed number. */
export function decodeFailure(errorCode: number): Failure {
  const bits = errorCode >>> 0;
  const code = bits % CODE;
  const set = flags.flatMap(([name, bit]) => (Math.floor(bits / bit) % 2 === 1 ? [name] : []));
  if (code >= HTTP_BASE && code <= HTTP_TOP) return { ...httpFailure(code), flags: set };
  const known = actionCodes.get(code);
  if (known) return { ...known, flags: set };
  const meaning = code === 0 ? "No reason was given." : `Code ${code}, which update_engine does not know.`;
  return { code, name: "unknown", cause: "unknown", meaning, flags: set };
}

/** The number as update_engine would send it. */
export function encodeFailure({ code, flags: set }: Pick<Failure, "code" | "flags">): number {
  const bits = flags.reduce((sum, [name, bit]) => (set.includes(name) ? sum + bit : sum), code);
  return bits | 0;
}

function httpFailure(code: number): Omit<Failure, "flags"> {
  const http = code - HTTP_BASE;
  const base = { code, name: "kActionCodeOmahaRequestHTTPResponseBase", http };
  // libcurl's own failures have no status; update_engine writes 0 for them, and 999 for nonsense.
  if (http === 0) return { ...base, cause: "network", meaning: "The update server could not be reached." };
  const cause = http >= 500 && http < 600 ? "server" : "network";
  return {
    ...base,
    cause,
    meaning: `The update server, or something before it, answered with HTTP ${http}.`,
  };
}

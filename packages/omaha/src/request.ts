// What a client sends: who it is, what it runs, what happened to it, and whether it wants an update. Every field
// that is not there was not sent; an empty string was sent empty, which Omaha takes for the same.
// Sources: https://github.com/google/omaha/blob/main/doc/ServerProtocolV3.md (protocol 3.0);
// https://github.com/flatcar/update_engine/blob/main/src/update_engine/omaha_request_action.cc and
// https://github.com/flatcar/go-omaha/blob/main/omaha/protocol.go (what CoreOS and Flatcar added).
import { fields } from "./fields.ts";
import type { WithOthers } from "./fields.ts";

export interface OmahaRequest extends WithOthers {
  /** `3.0`, or `3.1`. */
  readonly protocol: string;
  /** The updater and its version: `update_engine-0.4.10`. */
  readonly version?: string;
  /** The same again, an addition of update_engine's. */
  readonly updaterVersion?: string;
  readonly updaterChannel?: string;
  /** Why it asks: update_engine says `scheduler`, or `ondemandupdate` when somebody told it to look. */
  readonly installSource?: string;
  /** Installed for the whole machine; update_engine always says so. */
  readonly isMachine?: boolean;
  /** One attempt of one request. */
  readonly requestId?: string;
  /** One update, from the check to its last event. */
  readonly sessionId?: string;
  readonly userId?: string;
  /** Not to be counted: `dev`, `qa`, `prober`, `auto`, `ossdev`. */
  readonly testSource?: string;
  readonly originUrl?: string;
  /** How to count it once: `cr` (the client regulates) or `uid`. */
  readonly dedup?: string;
  /** `cacheable` for URLs that caches like. */
  readonly downloadPreference?: string;
  readonly os?: OmahaOs;
  readonly apps: readonly OmahaApp[];
}

/** The operating system the client runs on. */
export interface OmahaOs extends WithOthers {
  /** update_engine says `CoreOS`. */
  readonly platform?: string;
  /** update_engine says `Chateau`. */
  readonly version?: string;
  /** update_engine: version and machine type, `2.0.0_x86_64`. */
  readonly servicePack?: string;
  /** go-omaha: `x64`, `arm64`. */
  readonly arch?: string;
}

/** One application and what the client has to say about it. */
export interface OmahaApp extends WithOthers {
  /** As sent, with or without braces: the answer must repeat it. Compare it through `plainId`. */
  readonly id: string;
  /** What runs now. */
  readonly version?: string;
  /** The group (GROUP= of update.conf): a name, or a UUID. */
  readonly track?: string;
  /** The group it comes from, when it changes groups. */
  readonly fromTrack?: string;
  /** Of this boot, in braces. */
  readonly bootId?: string;
  readonly oem?: string;
  readonly oemVersion?: string;
  /** The version this machine was installed with. */
  readonly alephVersion?: string;
  /** `/etc/machine-id`: 32 hexadecimal digits. */
  readonly machineId?: string;
  /** MACHINE_ALIAS= of update.conf. */
  readonly machineAlias?: string;
  /** BCP 47; update_engine says `en-US`. */
  readonly lang?: string;
  /** `amd64-usr`, `arm64-usr`. */
  readonly board?: string;
  readonly hardwareClass?: string;
  /** It could apply a delta; CoreOS's never says so. */
  readonly deltaOkay?: boolean;
  /** It can be sent several manifests, floors first; Nebraska's syncer says so. */
  readonly multiManifestOkay?: boolean;
  readonly nextVersion?: string;
  /** Days since it was installed; -1 on first contact. */
  readonly installAge?: number;
  /** The day it was installed, in days since 2007-01-01; -1 on first contact, -2 for unknown. */
  readonly installDate?: number;
  readonly installSource?: string;
  readonly isMachine?: boolean;
  /** Its release channel, when the server assigns it. */
  readonly cohort?: string;
  /** The channel it would like. */
  readonly cohortHint?: string;
  readonly cohortName?: string;
  readonly brand?: string;
  readonly client?: string;
  readonly experiments?: string;
  readonly installId?: string;
  readonly tag?: string;
  /** What is installed: `1.` and the SHA-256 in hexadecimal, or `2.` and a version. */
  readonly fingerprint?: string;
  /** It says that it is alive. */
  readonly ping?: OmahaPing;
  /** It asks for an update. */
  readonly updateCheck?: OmahaUpdateCheck;
  /** What happened. */
  readonly events: readonly OmahaEvent[];
}

export interface OmahaPing extends WithOthers {
  /** In use since the last ping. */
  readonly active?: boolean;
  /** Days since the last ping in use; -1 for never. */
  readonly daysSinceActive?: number;
  /** Days since the last ping; -1 for never. */
  readonly daysSincePing?: number;
  /** The server's day of the last ping in use, in days since 2007-01-01; -1 for never, -2 for unknown. */
  readonly activeDay?: number;
  /** The server's day of the last ping. */
  readonly pingDay?: number;
  /** Repeated when the client's disk was set back. */
  readonly freshness?: string;
}

export interface OmahaUpdateCheck extends WithOthers {
  /** Only versions below this: `1.2` or, for exactly one, `1.2.3.4$`. See `matchesVersionPrefix`. */
  readonly targetVersionPrefix?: string;
  /** It would not update. */
  readonly updateDisabled?: boolean;
  /** It would take the version it has once more. */
  readonly sameVersionUpdate?: boolean;
  /** It may be sent an older version. */
  readonly rollbackAllowed?: boolean;
  /** Proof of being a trusted tester. A secret: not for a log. */
  readonly testerToken?: string;
}

export interface OmahaEvent extends WithOthers {
  /** See `eventTypes`. */
  readonly type: number;
  /** See `eventResults`. */
  readonly result: number;
  /** Why it failed; update_engine's are read by `decodeFailure`. */
  readonly errorCode?: number;
  /** What ran before. update_engine: empty when nothing changed since the last check, `0.0.0.0` on the very first. */
  readonly previousVersion?: string;
  readonly nextVersion?: string;
  readonly extraCode?: number;
  readonly errorCategory?: number;
  /** Bytes. */
  readonly downloaded?: number;
  /** Bytes expected. */
  readonly total?: number;
  readonly downloadMilliseconds?: number;
  readonly checkMilliseconds?: number;
  readonly installMilliseconds?: number;
  /** Which of the answer's URLs was used, from 0. */
  readonly urlIndex?: number;
  readonly url?: string;
  readonly previousFingerprint?: string;
  readonly nextFingerprint?: string;
}

// The order is update_engine's; what it does not send follows.
export const requestFields = fields<Omit<OmahaRequest, "os" | "apps" | "others">>([
  ["protocol", "protocol", "text"],
  ["version", "version", "text"],
  ["updaterversion", "updaterVersion", "text"],
  ["installsource", "installSource", "text"],
  ["ismachine", "isMachine", "digit"],
  ["requestid", "requestId", "text"],
  ["sessionid", "sessionId", "text"],
  ["userid", "userId", "text"],
  ["testsource", "testSource", "text"],
  ["updaterchannel", "updaterChannel", "text"],
  ["originurl", "originUrl", "text"],
  ["dedup", "dedup", "text"],
  ["dlpref", "downloadPreference", "text"],
]);

export const osFields = fields<Omit<OmahaOs, "others">>([
  ["version", "version", "text"],
  ["platform", "platform", "text"],
  ["sp", "servicePack", "text"],
  ["arch", "arch", "text"],
]);

export const appFields = fields<Omit<OmahaApp, "ping" | "updateCheck" | "events" | "others">>([
  ["appid", "id", "text"],
  ["version", "version", "text"],
  ["track", "track", "text"],
  ["from_track", "fromTrack", "text"],
  ["bootid", "bootId", "text"],
  ["oem", "oem", "text"],
  ["oemversion", "oemVersion", "text"],
  ["alephversion", "alephVersion", "text"],
  ["machineid", "machineId", "text"],
  ["machinealias", "machineAlias", "text"],
  ["lang", "lang", "text"],
  ["board", "board", "text"],
  ["hardware_class", "hardwareClass", "text"],
  ["delta_okay", "deltaOkay", "truth"],
  ["multi_manifest_ok", "multiManifestOkay", "truth"],
  ["nextversion", "nextVersion", "text"],
  ["installage", "installAge", "number"],
  ["installdate", "installDate", "number"],
  ["installsource", "installSource", "text"],
  ["ismachine", "isMachine", "digit"],
  ["cohort", "cohort", "text"],
  ["cohorthint", "cohortHint", "text"],
  ["cohortname", "cohortName", "text"],
  ["brand", "brand", "text"],
  ["client", "client", "text"],
  ["experiments", "experiments", "text"],
  ["iid", "installId", "text"],
  ["tag", "tag", "text"],
  ["fingerprint", "fingerprint", "text"],
]);

export const pingFields = fields<Omit<OmahaPing, "others">>([
  ["active", "active", "digit"],
  ["a", "daysSinceActive", "number"],
  ["r", "daysSincePing", "number"],
  ["ad", "activeDay", "number"],
  ["rd", "pingDay", "number"],
  ["ping_freshness", "freshness", "text"],
]);

export const updateCheckFields = fields<Omit<OmahaUpdateCheck, "others">>([
  ["targetversionprefix", "targetVersionPrefix", "text"],
  ["updatedisabled", "updateDisabled", "truth"],
  ["sameversionupdate", "sameVersionUpdate", "truth"],
  ["rollback_allowed", "rollbackAllowed", "truth"],
  ["tttoken", "testerToken", "text"],
]);

export const eventFields = fields<Omit<OmahaEvent, "others">>([
  ["eventtype", "type", "exact"],
  ["eventresult", "result", "exact"],
  ["errorcode", "errorCode", "exact"],
  ["previousversion", "previousVersion", "text"],
  ["nextversion", "nextVersion", "text"],
  ["extracode1", "extraCode", "number"],
  ["errorcat", "errorCategory", "number"],
  ["downloaded", "downloaded", "number"],
  ["total", "total", "number"],
  ["download_time_ms", "downloadMilliseconds", "number"],
  ["update_check_time_ms", "checkMilliseconds", "number"],
  ["install_time_ms", "installMilliseconds", "number"],
  ["source_url_index", "urlIndex", "number"],
  ["url", "url", "text"],
  ["previousfp", "previousFingerprint", "text"],
  ["nextfp", "nextFingerprint", "text"],
]);

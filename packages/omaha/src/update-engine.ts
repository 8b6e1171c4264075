// How update_engine reads an answer. It searches the whole document by path and takes the first of what it finds,
// so that with several applications in one response the check, the URLs and the manifest of different ones run
// together: it only ever asks for one. Source: ParseResponse in
// https://github.com/flatcar/update_engine/blob/main/src/update_engine/omaha_request_action.cc
import { quoted } from "./error.ts";
import type { OmahaAction, OmahaResponse } from "./response.ts";

/** The code of an answer that update_engine cannot use; see `decodeFailure`. */
const RESPONSE_INVALID = 34;

/** Seconds; update_engine keeps what a server dictates within these. Source: update_check_scheduler.cc there. */
export const pollBounds = { least: 45 * 60, most: 4 * 60 * 60 } as const;

const DEFAULT_FAILURES_PER_URL = 10;

/** What it would do. */
export type UpdateEngineReading =
  | { readonly outcome: "noupdate"; readonly pollSeconds?: number }
  | {
      readonly outcome: "update";
      readonly pollSeconds?: number;
      /** For people: it is not compared with the version that runs. */
      readonly version: string;
      /** In the order in which they are tried. */
      readonly payloadUrls: readonly string[];
      /** Bytes. */
      readonly size: number;
      /** Base64. */
      readonly sha256: string;
      readonly isDelta: boolean;
      readonly waitsBetweenAttempts: boolean;
      readonly failuresPerUrl: number;
    }
  | { readonly outcome: "invalid"; readonly code: typeof RESPONSE_INVALID; readonly why: string };

/**
 * What update_engine makes of a response: nothing to do, an update with everything it takes from it, or an
 * invalid answer, which it reports as a failed update.
 */
export function readAsUpdateEngine(response: OmahaResponse): UpdateEngineReading {
  const checks = response.apps.flatMap(({ updateCheck }) => updateCheck ?? []);
  const [check] = checks;
  if (!check) return invalid("no <updatecheck>");
  const { pollInterval = 0 } = check;
  const poll = pollInterval > 0 ? { pollSeconds: pollSeconds(pollInterval) } : {};
  if (check.status === "noupdate") return { outcome: "noupdate", ...poll };
  if (check.status !== "ok") return invalid(`<updatecheck> has the status ${quoted(check.status ?? "")}`);
  const manifests = checks.flatMap(({ manifests }) => manifests);
  const [manifest] = manifests;
  if (!manifest) return invalid("no <manifest>");
  const urls = checks.flatMap((answer) => answer.urls.map(({ codebase }) => codebase ?? ""));
  if (urls.length === 0) return invalid("no <url>");
  if (urls.includes("")) return invalid("a <url> with an empty codebase");
  const [file] = manifests.flatMap(({ packages }) => packages);
  if (!file) return invalid("no <package>");
  const { name = "", size = 0 } = file;
  if (name === "") return invalid("the first <package> has no name");
  if (size <= 0) return invalid("the first <package> has no size above 0");
  const action = manifests.flatMap(({ actions }) => actions).find(({ event }) => event === "postinstall");
  if (!action) return invalid('no <action event="postinstall">');
  const { sha256 = "" } = action;
  if (sha256 === "") return invalid("the postinstall action has no sha256");
  return {
    outcome: "update",
    ...poll,
    version: manifest.version ?? "",
    payloadUrls: urls.map((url) => `${url}${url.endsWith("/") ? "" : "/"}${name}`),
    size,
    sha256,
    ...attemptsOf(action),
  };
}

/** How long update_engine waits when a server says so many seconds; it adds up to half of that, or takes it off. */
export function pollSeconds(dictated: number): number {
  return Math.min(Math.max(dictated, pollBounds.least), pollBounds.most);
}

function attemptsOf({ isDeltaPayload, disablePayloadBackoff, maxFailureCountPerUrl }: OmahaAction): {
  readonly isDelta: boolean;
  readonly waitsBetweenAttempts: boolean;
  readonly failuresPerUrl: number;
} {
  const isDelta = isDeltaPayload === true;
  return {
    isDelta,
    waitsBetweenAttempts: !isDelta && disablePayloadBackoff !== true,
    failuresPerUrl: maxFailureCountPerUrl ?? DEFAULT_FAILURES_PER_URL,
  };
}

function invalid(why: string): UpdateEngineReading {
  return { outcome: "invalid", code: RESPONSE_INVALID, why };
}

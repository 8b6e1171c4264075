// How the server is, for load balancers, supervisors and people, as etcd 3.5.16 answers (server/etcdserver/api/etcdhttp).

import type { IncomingMessage, ServerResponse } from "node:http";
import { ALARM_NO_SPACE } from "../store.ts";
import type { EtcdError } from "../../errors.ts";
import { send, type HttpHandler, type HttpTable } from "../transport/http.ts";
import { isRead } from "./reading.ts";

/** What health is judged by. */
export interface Patient {
  /** Active alarms, as etcdserverpb.AlarmType. */
  readonly alarms: ReadonlySet<number>;
  /** Why nothing can be written now. */
  readonly failure: EtcdError | undefined;
}

/** Told of each judgement. */
export interface HealthRecord {
  /** A whole page was judged, as /health. */
  judged(isHealthy: boolean): void;
  /** One check of /livez or /readyz was made. */
  checked(page: string, check: string, isPassed: boolean): void;
}

type Check = () => string | undefined;

/** `/health`, `/livez` and `/readyz`, with the checks of the last two each at a path of its own. */
export function healthPages(patient: Patient, record: HealthRecord): HttpTable {
  const pages = new Map<string, HttpHandler>([
    ["/health", (request, response, url) => answerHealth({ request, response, url }, patient, record)],
  ]);
  // Reads look at memory: they do not fail. A log that cannot be written fails what asks for all members.
  const read: Check = () => undefined;
  const agreed: Check = () => patient.failure?.message;
  const corrupt: Check = () => (patient.alarms.has(ALARM_CORRUPT) ? "alarm activated: CORRUPT" : undefined);
  const checks: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
    livez: { serializable_read: read },
    readyz: { data_corruption: corrupt, serializable_read: read, linearizable_read: agreed },
  };
  for (const [page, byName] of Object.entries(checks)) {
    const names = Object.keys(byName);
    const run = (name: string): string => {
      const reason = byName[name]?.();
      record.checked(page, name, reason === undefined);
      return reason === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${reason}\n`;
    };
    const serve = (chosen: (url: URL) => readonly string[]): HttpHandler => {
      return (request, response, url) => {
        if (isRead(request, response)) answerChecks(response, url, chosen(url).map(run));
      };
    };
    const excluding = (url: URL): readonly string[] => {
      const excluded = new Set(url.searchParams.getAll("exclude"));
      return names.filter((name) => !excluded.has(name));
    };
    pages.set(`/${page}`, serve(excluding));
    for (const name of names)
      pages.set(
        `/${page}/${name}`,
        serve(() => [name]),
      );
  }
  return pages;
}

/** etcdserverpb.AlarmType.CORRUPT. */
const ALARM_CORRUPT = 2;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

function answerHealth({ request, response, url }: Exchange, patient: Patient, record: HealthRecord): void {
  if (!isRead(request, response)) return;
  const isLocal = url.searchParams.get("serializable") === "true";
  const reason = ailment(patient, new Set(url.searchParams.getAll("exclude")), isLocal);
  record.judged(reason === "");
  const health = JSON.stringify({ health: String(reason === ""), reason });
  if (reason === "") send(response, 200, health);
  else send(response, 503, `${health}\n`);
}

/** Why the store does not do all that it should; empty when it does. */
function ailment(patient: Patient, excluded: ReadonlySet<string>, isLocal: boolean): string {
  for (const alarm of patient.alarms) {
    const name = alarm === ALARM_NO_SPACE ? "NOSPACE" : "CORRUPT";
    if (!excluded.has(name)) return `ALARM ${name}`;
  }
  return patient.failure === undefined || isLocal ? "" : `LOG ${patient.failure.message}`;
}

function answerChecks(response: ServerResponse, url: URL, results: readonly string[]): void {
  const report = results.join("");
  if (results.some((line) => line.startsWith("[-]"))) return send(response, 503, `${report}\n`);
  send(response, 200, `${url.searchParams.has("verbose") ? report : ""}ok\n`);
}

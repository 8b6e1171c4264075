// A small configuration and machines that ask, as the tests of this folder need them.
import {
  applicationCodec,
  packageCodec,
  updateChannelCodec,
  updateGroupCodec,
} from "../../src/model/update-service.ts";
import type { UpdatePolicy } from "../../src/model/update-service.ts";
import { Configuration } from "../../src/update-policy/configuration.ts";
import { Ledger } from "../../src/update-policy/ledger.ts";
import type { Checked, LedgerOptions, Report } from "../../src/update-policy/ledger.ts";
import type { UpdateRequest } from "../../src/update-policy/request.ts";

export const app = "com.example.system";
/** Wed 2026-11-18 12:00 UTC. */
export const noon = Date.UTC(2026, 10, 18, 12);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Nothing holds anybody back. */
export const open: Partial<UpdatePolicy> = { waves: [], atOnce: null, halt: null };

export interface World {
  readonly policy?: Partial<UpdatePolicy>;
  readonly channel?: string;
  readonly floors?: readonly { version: string; reason: string }[];
  readonly versions?: readonly string[];
  readonly signedDowngrades?: boolean;
}

const encoder = new TextEncoder();

export function configuration({
  policy = open,
  channel = "2.0.0",
  floors = [],
  versions = ["1.0.0", "1.5.0", "2.0.0", "3.0.0"],
  signedDowngrades = false,
}: World = {}): Configuration {
  const read = <T>(codec: { decode(key: string, value: Uint8Array): T }, record: object): T =>
    codec.decode("test", encoder.encode(JSON.stringify(record)));
  return new Configuration({
    applications: [read(applicationCodec, { id: app, name: "System", kind: "system", signedDowngrades })],
    packages: versions.map((version) =>
      read(packageCodec, {
        application: app,
        version,
        architecture: "amd64",
        files: [{ name: "update.gz", size: 1000, sha256: "ab".repeat(32) }],
        added: 0,
      }),
    ),
    channels: [
      read(updateChannelCodec, {
        application: app,
        name: "stable",
        versions: { amd64: { version: channel, at: 0 } },
        floors,
      }),
    ],
    groups: [
      read(updateGroupCodec, {
        application: app,
        name: "prod",
        channel: "stable",
        tracks: ["{F00DF00D-0000-4000-8000-000000000001}"],
        policy,
      }),
      read(updateGroupCodec, { application: app, name: "lab", channel: "stable", policy: open }),
    ],
  });
}

export const ledger = (world: World = {}, options: LedgerOptions = {}): Ledger =>
  new Ledger(configuration(world), options);

export const machineId = (number: number): string => number.toString(16).padStart(32, "0");

export function request(machine: number, more: Partial<UpdateRequest> = {}): UpdateRequest {
  return {
    application: app,
    track: "prod",
    machine: machineId(machine),
    version: "1.0.0",
    architecture: "amd64",
    verified: false,
    ...more,
  };
}

/** Events as update_engine sends them. */
export const events = {
  downloading: { type: 13, result: 1 },
  downloaded: { type: 14, result: 1 },
  installed: { type: 3, result: 1 },
  complete: { type: 3, result: 2, previousVersion: "1.0.0" },
  unchanged: { type: 3, result: 2, previousVersion: "" },
  hashMismatch: { type: 3, result: 0, errorCode: 268_435_485 },
  rolledBack: { type: 3, result: 0, errorCode: 44 },
} as const;

export function report(machine: number, event: keyof typeof events, more: Partial<Report> = {}): Report {
  return { ...request(machine, more), event: events[event], ...more };
}

/** What a decision comes to: `update 2.0.0`, or the reason's code. */
export function told({ decision }: Checked): string {
  return decision.answer === "update" ? `update ${decision.package.version}` : decision.reason.code;
}

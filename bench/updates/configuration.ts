import { plainId } from "@keelson/omaha";
import type { OmahaApp } from "@keelson/omaha";
import {
  applicationCodec,
  packageCodec,
  updateChannelCodec,
  updateGroupCodec,
} from "../../packages/keelson/src/model/update-service.ts";
import { Configuration } from "../../packages/keelson/src/update-policy/configuration.ts";

const encoder = new TextEncoder();

const read = <T>(codec: { decode(key: string, value: Uint8Array): T }, record: object): T =>
  codec.decode("bench", encoder.encode(JSON.stringify(record)));

/**
 * One application with one group. Its channel has what the machine runs, or something newer that `atOnce` machines
 * may go to at a time.
 */
export function configurationFor(app: OmahaApp, atOnce: number | undefined): Configuration {
  const application = plainId(app.id);
  const version = atOnce === undefined ? (app.version ?? "1.0.0") : "99.0.0";
  return new Configuration({
    applications: [read(applicationCodec, { id: application, name: "System", kind: "system" })],
    packages: [
      read(packageCodec, {
        application,
        version,
        architecture: "amd64",
        files: [{ name: "update.gz", size: 1000, sha256: "ab".repeat(32) }],
        added: 0,
      }),
    ],
    channels: [
      read(updateChannelCodec, { application, name: "stable", versions: { amd64: { version, at: 0 } } }),
    ],
    groups: [
      read(updateGroupCodec, {
        application,
        name: app.track ?? "",
        channel: "stable",
        policy: { waves: [], halt: null, atOnce: atOnce ?? null },
      }),
    ],
  });
}

// The settings with which a machine's etcd runs, as the environment file of keelson-etcd.service.
import type { MemberOrder } from "../model/store.ts";

export interface MemberFiles {
  readonly dataDir: string;
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** Text of the file. Values hold no quotes, spaces or line breaks: the order's form and the folder's name see to it. */
export function memberSettings(order: MemberOrder, files: MemberFiles): string {
  const { bootstrap, clientUrl, peerUrl } = order;
  const port = new URL(clientUrl).port;
  const settings: Record<string, string> = {
    ETCD_NAME: order.name,
    ETCD_DATA_DIR: files.dataDir,
    ETCD_LISTEN_CLIENT_URLS: `${clientUrl},https://127.0.0.1:${port}`,
    ETCD_ADVERTISE_CLIENT_URLS: clientUrl,
    ETCD_LISTEN_PEER_URLS: peerUrl,
    ETCD_INITIAL_ADVERTISE_PEER_URLS: peerUrl,
    ...bootstrapSettings(bootstrap),
    ETCD_CLIENT_CERT_AUTH: "true",
    ETCD_CERT_FILE: files.certificate,
    ETCD_KEY_FILE: files.key,
    ETCD_TRUSTED_CA_FILE: files.authority,
    ETCD_PEER_CLIENT_CERT_AUTH: "true",
    ETCD_PEER_CERT_FILE: files.certificate,
    ETCD_PEER_KEY_FILE: files.key,
    ETCD_PEER_TRUSTED_CA_FILE: files.authority,
    ETCD_QUOTA_BACKEND_BYTES: String(order.quotaBytes),
    ETCD_AUTO_COMPACTION_MODE: "periodic",
    ETCD_AUTO_COMPACTION_RETENTION: "1h",
    ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK: "true",
    ETCD_LOG_LEVEL: "warn",
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** The name of the member whose settings these are; empty when there is none in them. */
export function memberNameIn(settings: string | undefined): string {
  return /^ETCD_NAME=(.*)$/m.exec(settings ?? "")?.[1] ?? "";
}

/** The URL at which clients reach the member; empty when there is none in them. */
export function memberUrlIn(settings: string): string {
  return /^ETCD_ADVERTISE_CLIENT_URLS=(.*)$/m.exec(settings)?.[1] ?? "";
}

function bootstrapSettings(bootstrap: MemberOrder["bootstrap"]): Record<string, string> {
  if ("discovery" in bootstrap) return { ETCD_DISCOVERY: bootstrap.discovery };
  const isNew = "found" in bootstrap;
  return {
    ETCD_INITIAL_CLUSTER: isNew ? bootstrap.found : bootstrap.join,
    ETCD_INITIAL_CLUSTER_STATE: isNew ? "new" : "existing",
  };
}

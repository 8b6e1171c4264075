// Every flag of etcd 3.5, and what becomes of it here. The help, the page of the docs and the refusals are made from
// this table. Source: server/etcdmain/config.go at v3.5.16.

import type { FlagKind } from "./flag-values.ts";

/**
 * `used`: does what it does in etcd. `peers`: about other members, of which there are none; accepted, so that
 * command lines made for etcd work. Otherwise refused, unless its value is the default; says why, or what instead.
 */
export type FlagSupport = "used" | "peers" | { readonly refused: string };

export interface Flag {
  readonly name: string;
  readonly group: FlagGroup;
  readonly kind: FlagKind;
  /** As text, as on a command line. */
  readonly fallback: string;
  readonly help: string;
  readonly support: FlagSupport;
}

export const FLAG_GROUPS = [
  "Member",
  "Clustering",
  "Security",
  "Auth",
  "Profiling and Monitoring",
  "Logging",
  "Experimental distributed tracing",
  "v2 Proxy",
  "Experimental feature",
  "Unsafe feature",
  "Without effect in etcd too",
] as const;
export type FlagGroup = (typeof FLAG_GROUPS)[number];

type Row = readonly [name: string, kind: FlagKind, fallback: string, help: string, support?: FlagSupport];

const no = (refused: string): FlagSupport => ({ refused });
const BACKEND = no("there is no bbolt file: the store keeps a log and snapshots");
const DISCOVERY = no("the store has one member and needs none to find; leave it out");
const TRACING = no("requests are not traced; see /metrics");
const PROXY = no("there is no proxy");
const GONE = no("does nothing in etcd either; leave it out");
const LOCAL_URL = "http://localhost:2380";

const ROWS: Readonly<Record<FlagGroup, readonly Row[]>> = {
  Member: [
    [
      "config-file",
      "string",
      "",
      "YAML file with the configuration; flags and environment then do not count.",
    ],
    ["name", "string", "default", "Name of the member, for people."],
    [
      "data-dir",
      "string",
      "",
      "Directory for everything that is kept. By default the name with .etcd behind it.",
    ],
    ["wal-dir", "string", "", "Directory for the log, if it is to lie on a disk of its own."],
    ["snapshot-count", "uint", "100000", "Changes after which a snapshot is taken and the log cut."],
    [
      "heartbeat-interval",
      "uint",
      "100",
      "Milliseconds of a heartbeat. Decides with --election-timeout over the least TTL.",
    ],
    [
      "election-timeout",
      "uint",
      "1000",
      "Milliseconds of an election. The least TTL of a lease is one and a half of it.",
    ],
    [
      "initial-election-tick-advance",
      "bool",
      "true",
      "Whether a starting member shortens its first election.",
      "peers",
    ],
    [
      "listen-peer-urls",
      "urls",
      LOCAL_URL,
      "Where members would listen for each other. Nothing listens there.",
      "peers",
    ],
    ["listen-client-urls", "urls", "http://localhost:2379", "Where to listen for clients, gRPC and HTTP."],
    [
      "listen-client-http-urls",
      "urls",
      "",
      "Where to listen for HTTP alone; the client URLs then serve gRPC alone.",
    ],
    ["max-snapshots", "uint", "5", "Snapshots to keep.", no("one snapshot is kept, with the log behind it")],
    [
      "max-wals",
      "uint",
      "5",
      "Segments of the log to keep.",
      no("segments are removed once a snapshot holds them"),
    ],
    ["quota-backend-bytes", "int", "0", "Bytes of data above which writes are refused; 0 for 2 GiB."],
    ["backend-bbolt-freelist-type", "string", "map", "Type of bbolt's freelist.", BACKEND],
    ["backend-batch-interval", "duration", "0s", "Longest time before a batch is committed.", BACKEND],
    ["backend-batch-limit", "int", "0", "Operations of a batch.", BACKEND],
    ["max-txn-ops", "uint", "128", "Operations of a transaction."],
    ["max-request-bytes", "uint", "1572864", "Bytes of a request."],
    [
      "max-concurrent-streams",
      "uint32",
      "4294967295",
      "Streams that one client may have open at a time; by default 10,000.",
    ],
    ["enable-grpc-gateway", "bool", "true", "Whether to serve the JSON gateway."],
    ["grpc-keepalive-min-time", "duration", "5s", "Least time between two pings of a client."],
    [
      "grpc-keepalive-interval",
      "duration",
      "2h0m0s",
      "Silence of a client after which it is pinged; 0 for 2 h.",
    ],
    ["grpc-keepalive-timeout", "duration", "20s", "Time for the answer to a ping."],
    [
      "socket-reuse-port",
      "bool",
      "false",
      "Share the port with other processes.",
      no("two stores cannot share a port"),
    ],
    [
      "socket-reuse-address",
      "bool",
      "false",
      "Bind an address that was used just before.",
      no("that is always so"),
    ],
    ["raft-read-timeout", "duration", "5s", "Time for a read from another member.", "peers"],
    ["raft-write-timeout", "duration", "5s", "Time for a write to another member.", "peers"],
  ],
  Clustering: [
    [
      "initial-advertise-peer-urls",
      "urls",
      LOCAL_URL,
      "Where other members would find this one, as MemberList tells it.",
    ],
    ["initial-cluster", "string", "", "NAME=URL of the members. One, and it must be this one."],
    ["initial-cluster-state", "new|existing", "new", 'Whether the cluster is new. Only "new".'],
    ["initial-cluster-token", "string", "etcd-cluster", "Keeps clusters apart that are made alike.", "peers"],
    [
      "advertise-client-urls",
      "urls",
      "http://localhost:2379",
      "Where clients find this member, as MemberList tells it.",
    ],
    ["discovery", "string", "", "URL of a discovery service.", DISCOVERY],
    ["discovery-fallback", "proxy|exit", "proxy", "What to do when discovery fails.", DISCOVERY],
    ["discovery-proxy", "string", "", "Proxy to the discovery service.", DISCOVERY],
    ["discovery-srv", "string", "", "Domain whose SRV records name the members.", DISCOVERY],
    ["discovery-srv-name", "string", "", "Suffix of those records.", DISCOVERY],
    [
      "strict-reconfig-check",
      "bool",
      "true",
      "Whether to refuse changes of members that cost the quorum.",
      "peers",
    ],
    ["pre-vote", "bool", "true", "Whether members ask around before an election.", "peers"],
    [
      "auto-compaction-retention",
      "string",
      "0",
      "History to keep: a time or a number of revisions; 0 keeps all.",
    ],
    ["auto-compaction-mode", "string", "periodic", "What the retention is: periodic or revision."],
    ["enable-v2", "bool", "false", "Whether to serve the v2 API. It is always served."],
    [
      "v2-deprecation",
      "not-yet|write-only|write-only-drop-data|gone",
      "not-yet",
      "How far v2 is gone.",
      no("v2 keys are served from the same data"),
    ],
  ],
  Security: [
    ["cert-file", "string", "", "Certificate of the server, PEM."],
    ["key-file", "string", "", "Its key, PEM."],
    ["client-cert-auth", "bool", "false", "Whether clients must show a certificate."],
    [
      "client-cert-file",
      "string",
      "",
      "Certificate with which the server asks itself.",
      no("the server does not ask itself over the network"),
    ],
    ["client-key-file", "string", "", "Its key.", no("the server does not ask itself over the network")],
    ["client-crl-file", "string", "", "Revoked certificates of clients."],
    ["client-cert-allowed-hostname", "strings", "", "Host name that clients' certificates must be made for."],
    ["trusted-ca-file", "string", "", "Authorities of clients' certificates, PEM."],
    ["auto-tls", "bool", "false", "Serve TLS with a certificate that nobody signed."],
    ["peer-cert-file", "string", "", "Certificate among members.", "peers"],
    ["peer-key-file", "string", "", "Its key.", "peers"],
    ["peer-client-cert-auth", "bool", "false", "Whether members must show a certificate.", "peers"],
    ["peer-trusted-ca-file", "string", "", "Authorities of members' certificates.", "peers"],
    ["peer-cert-allowed-cn", "strings", "", "Common names that members' certificates may have.", "peers"],
    [
      "peer-cert-allowed-hostname",
      "strings",
      "",
      "Host names that members' certificates may be made for.",
      "peers",
    ],
    ["peer-auto-tls", "bool", "false", "TLS among members with certificates that nobody signed.", "peers"],
    ["peer-client-cert-file", "string", "", "Certificate with which a member calls others.", "peers"],
    ["peer-client-key-file", "string", "", "Its key.", "peers"],
    ["peer-crl-file", "string", "", "Revoked certificates of members.", "peers"],
    ["self-signed-cert-validity", "uint", "1", "Years that a certificate of --auto-tls is good for."],
    ["cipher-suites", "strings", "", "Cipher suites of TLS 1.2, by IANA's names."],
    ["cors", "strings", "*", "Origins whose pages may ask over HTTP."],
    ["host-whitelist", "strings", "*", "Host names by which HTTP without TLS may call the server."],
    ["tls-min-version", "string", "TLS1.2", "Least version of TLS: TLS1.2 or TLS1.3."],
    ["tls-max-version", "string", "", "Greatest version of TLS: TLS1.2 or TLS1.3."],
  ],
  Auth: [
    ["auth-token", "string", "simple", "Kind of tokens: simple, or jwt with its options."],
    ["bcrypt-cost", "uint", "10", "Cost of hashing a password with bcrypt, 4 to 31."],
    ["auth-token-ttl", "uint", "300", "Seconds that a simple token lives without being used."],
  ],
  "Profiling and Monitoring": [
    [
      "enable-pprof",
      "bool",
      "false",
      "Serve Go's profiles.",
      no("the server is not written in Go: use node --inspect or --cpu-prof"),
    ],
    ["metrics", "string", "basic", "How much /metrics tells: basic or extensive."],
    ["listen-metrics-urls", "urls", "", "Where to listen for /metrics and the health pages alone."],
  ],
  Logging: [
    ["logger", "string", "zap", "Form of the log. Only zap, in JSON."],
    ["log-outputs", "strings", "default", "Where the log goes: stderr (default), stdout or files."],
    [
      "log-level",
      "string",
      "info",
      "Least level of what is logged: debug, info, warn, error, panic or fatal.",
    ],
    [
      "enable-log-rotation",
      "bool",
      "false",
      "Rotate the log's file.",
      no("leave rotation to journald or logrotate"),
    ],
    [
      "log-rotation-config-json",
      "string",
      '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
      "How to rotate it.",
      no("leave rotation to journald or logrotate"),
    ],
  ],
  "Experimental distributed tracing": [
    ["experimental-enable-distributed-tracing", "bool", "false", "Trace requests.", TRACING],
    ["experimental-distributed-tracing-address", "string", "localhost:4317", "Where traces go.", TRACING],
    [
      "experimental-distributed-tracing-service-name",
      "string",
      "etcd",
      "Name of the service in traces.",
      TRACING,
    ],
    [
      "experimental-distributed-tracing-instance-id",
      "string",
      "",
      "Name of the instance in traces.",
      TRACING,
    ],
    ["experimental-distributed-tracing-sampling-rate", "int", "0", "Traces per million requests.", TRACING],
  ],
  "v2 Proxy": [
    ["proxy", "off|readonly|on", "off", "Be a proxy for v2.", PROXY],
    ["proxy-failure-wait", "uint", "5000", "Milliseconds that a failed endpoint is left alone.", PROXY],
    ["proxy-refresh-interval", "uint", "30000", "Milliseconds between looks at the endpoints.", PROXY],
    ["proxy-dial-timeout", "uint", "1000", "Milliseconds to connect.", PROXY],
    ["proxy-write-timeout", "uint", "5000", "Milliseconds of a write.", PROXY],
    ["proxy-read-timeout", "uint", "0", "Milliseconds of a read.", PROXY],
  ],
  "Experimental feature": [
    [
      "experimental-initial-corrupt-check",
      "bool",
      "false",
      "Compare the data with other members at the start.",
      "peers",
    ],
    [
      "experimental-corrupt-check-time",
      "duration",
      "0s",
      "Time between comparisons with other members.",
      "peers",
    ],
    [
      "experimental-compact-hash-check-enabled",
      "bool",
      "false",
      "Compare hashes of compactions with other members.",
      "peers",
    ],
    ["experimental-compact-hash-check-time", "duration", "1m0s", "Time between those comparisons.", "peers"],
    [
      "experimental-enable-v2v3",
      "string",
      "",
      "Serve v2 from v3 under a prefix.",
      no("v2 keys are always served from v3's data"),
    ],
    [
      "experimental-enable-lease-checkpoint",
      "bool",
      "false",
      "Record the time that leases have left.",
      no("after a restart each lease has its full time"),
    ],
    [
      "experimental-enable-lease-checkpoint-persist",
      "bool",
      "false",
      "Keep it through restarts.",
      no("after a restart each lease has its full time"),
    ],
    ["experimental-compaction-batch-limit", "int", "1000", "Revisions of one step of a compaction.", BACKEND],
    ["experimental-compaction-sleep-interval", "duration", "10ms", "Pause between those steps.", BACKEND],
    [
      "experimental-peer-skip-client-san-verification",
      "bool",
      "false",
      "Do not look at names in members' certificates.",
      "peers",
    ],
    [
      "experimental-watch-progress-notify-interval",
      "duration",
      "10m0s",
      "Time between progress reports of a watch.",
    ],
    ["experimental-downgrade-check-time", "duration", "5s", "Time between looks at a downgrade.", "peers"],
    [
      "experimental-memory-mlock",
      "bool",
      "false",
      "Keep the memory from being swapped.",
      no("set MemorySwapMax=0 in the unit"),
    ],
    [
      "experimental-warning-apply-duration",
      "duration",
      "100ms",
      "Time of a request above which it is logged.",
      no("see grpc_server_handling_seconds with --metrics extensive"),
    ],
    [
      "experimental-txn-mode-write-with-shared-buffer",
      "bool",
      "true",
      "How bbolt's transactions read.",
      BACKEND,
    ],
    ["experimental-bootstrap-defrag-threshold-megabytes", "uint", "0", "Defragment at the start.", BACKEND],
    [
      "experimental-stop-grpc-service-on-defrag",
      "bool",
      "false",
      "Refuse calls while defragmenting.",
      BACKEND,
    ],
    ["experimental-snapshot-catchup-entries", "uint", "5000", "Changes kept for slow members.", "peers"],
  ],
  "Unsafe feature": [
    ["force-new-cluster", "bool", "false", "Make a cluster of one: it always is.", "peers"],
    [
      "unsafe-no-fsync",
      "bool",
      "false",
      "Do not wait for the disk.",
      no("what is acknowledged is on disk, always"),
    ],
  ],
  "Without effect in etcd too": [
    "cluster-active-size",
    "cluster-remove-delay",
    "cluster-sync-interval",
    "config",
    "force",
    "max-result-buffer",
    "max-retry-attempts",
    "peer-heartbeat-interval",
    "peer-election-timeout",
    "retry-interval",
    "snapshot",
    "v",
    "vv",
  ].map((name): Row => [name, "ignored", "", "Nothing.", GONE]),
};

/** By name. */
export const FLAGS: ReadonlyMap<string, Flag> = new Map(
  FLAG_GROUPS.flatMap((group) =>
    ROWS[group].map(([name, kind, fallback, help, support = "used"]) => [
      name,
      { name, group, kind, fallback, help, support },
    ]),
  ),
);

/** The variable of the environment that stands for a flag. */
export function variableOf(flag: string): string {
  return `ETCD_${flag.toUpperCase().replaceAll("-", "_")}`;
}

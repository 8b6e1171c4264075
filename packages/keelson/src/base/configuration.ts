// The configuration of one keeld: which roles it runs and where it finds the others.
// A machine gets it as the credential `keelson.config`; `keeld --config FILE` reads a file.
import * as z from "zod/mini";
import { KeelError } from "./errors.ts";

export const roles = ["agent", "leader", "api", "store", "updates"] as const;
export type Role = (typeof roles)[number];

const address = z.object({
  host: z.string().check(z.minLength(1)),
  port: z.int().check(z.gte(0), z.lte(65535)),
});

const size = z.strictObject({
  memoryBytes: z.optional(z.int().check(z.gte(0))),
  cpus: z.optional(z.number().check(z.gte(0), z.lte(100_000))),
});

const kept = z.int().check(z.gte(0), z.lte(1000));

const schema = z.strictObject({
  cluster: z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/)),
  /** The machine's name; its hostname unless given. */
  name: z.optional(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/))),
  roles: z.array(z.enum(roles)).check(z.minLength(1)),
  /** The address under which other machines reach this one. */
  address: z.string().check(z.minLength(1)),
  metadata: z._default(z.record(z.string(), z.string()), {}),
  /** The most that counts as this machine's memory and processors, where the kernel does not say less. */
  capacity: z.optional(size),
  /** What of it is kept from units: see host/allocatable.ts. */
  reserve: z.optional(size),
  store: z.object({
    /** http://host:port of every member of the store. */
    endpoints: z
      .array(z.string().check(z.regex(/^https?:\/\/[^/\s]+$/)))
      .check(z.minLength(1), z.maxLength(64)),
    /** For the role `store`: where it listens and where its data lies. */
    listen: z.optional(z.array(address)),
    dataDir: z.optional(z.string()),
    /** In a cluster of its own: how long a machine may be gone before another takes its member over; 300. */
    replaceAfterSeconds: z.optional(z.int().check(z.gte(10), z.lte(604_800))),
  }),
  api: z._default(
    z.object({
      /** The socket over which changes are made. Only root may open it. */
      socket: z._default(z.string(), "/run/keelson/api.sock"),
      /** TCP listeners that only read: the dashboard and other machines' questions. */
      listen: z._default(z.array(address), []),
      /** The folder with the dashboard's built files. */
      dashboard: z.optional(z.string()),
    }),
    { socket: "/run/keelson/api.sock", listen: [] },
  ),
  /** fleet's API by itself, for fleetctl; `api.socket` and `api.listen` serve it in any case. */
  fleet: z.optional(
    z.strictObject({
      /** A socket that only root may open; /run/fleet.sock on machines unless given, false for none. */
      socket: z.optional(z.union([z.string().check(z.regex(/^\//)), z.literal(false)])),
      /** TCP listeners that let everyone who reaches them change everything. */
      listen: z._default(z.array(address).check(z.maxLength(16)), []),
    }),
  ),
  /** The discovery service for etcd clusters, over this cluster's store. */
  discovery: z.optional(
    z.strictObject({
      listen: z.array(address).check(z.minLength(1), z.maxLength(16)),
      /** What tokens' URLs begin with; what the client called unless given. */
      publicUrl: z.optional(z.string().check(z.regex(/^https?:\/\/[^/\s]+\/?$/))),
      /** How long a token lives, in seconds. */
      tokenSeconds: z._default(z.int().check(z.gte(60), z.lte(30 * 86_400)), 86_400),
    }),
  ),
  /** For the role `updates`: the update server, which machines ask for updates and turns to restart. */
  updates: z.optional(
    z.strictObject({
      listen: address,
      /** Its log; `updates` in the state folder unless given. */
      dataDir: z.optional(z.string().check(z.regex(/^\//))),
      /** The files of packages, each called by its SHA-256; `payloads` in the data folder unless given. */
      payloads: z.optional(z.string().check(z.regex(/^\//))),
      /** What the URLs of payloads begin with; this machine's address and the port unless given. */
      publicUrl: z.optional(z.string().check(z.maxLength(500), z.regex(/^https?:\/\/[^/\s]+\/?$/))),
      /** Networks and addresses whose X-Forwarded-For is believed. */
      trustedProxies: z._default(z.array(z.string()).check(z.maxLength(64)), []),
      /** Groups of machines that take turns to restart. */
      rebootGroups: z._default(
        z.record(
          z.string().check(z.regex(/^[a-zA-Z0-9.-]{1,128}$/)),
          z.strictObject({
            slots: z.int().check(z.gte(1), z.lte(10_000)),
            /** A holder that says nothing for so long loses its turn; never when 0. */
            expirySeconds: z._default(z.int().check(z.gte(0), z.lte(30 * 86_400)), 0),
          }),
        ),
        { default: { slots: 1, expirySeconds: 0 } },
      ),
    }),
  ),
  /** Backups of the store by a schedule, taken by this keeld. */
  backup: z.optional(
    z.strictObject({
      /** Best on another disk than the store's. */
      directory: z.string().check(z.regex(/^\//)),
      /** `every 6h` (m, h, d), or `daily at 03:30` in UTC. */
      schedule: z._default(z.string().check(z.maxLength(80)), "every 6h"),
      /** See backup/retention.ts. */
      keep: z._default(
        z.strictObject({
          last: z._default(kept, 4),
          daily: z._default(kept, 7),
          weekly: z._default(kept, 4),
          monthly: z._default(kept, 6),
        }),
        { last: 4, daily: 7, weekly: 4, monthly: 6 },
      ),
    }),
  ),
  /** Where this keeld keeps what must survive its machine's restart: image archives. */
  stateDir: z._default(z.string(), "/var/lib/keelson"),
  /** Where this keeld keeps what must survive its own restart only. */
  runtimeDir: z._default(z.string(), "/run/keelson"),
  /** The machine's lease, in seconds. See docs/architecture.md for what hangs on it. */
  leaseSeconds: z._default(z.int().check(z.gte(3), z.lte(600)), 6),
  leaderLeaseSeconds: z._default(z.int().check(z.gte(2), z.lte(600)), 4),
  logLevel: z._default(z.enum(["error", "warn", "info", "debug"]), "info"),
});

export type Configuration = z.infer<typeof schema>;

/** Reads a configuration from JSON text; `source` names it in errors. At most 1 MiB. */
export function parseConfiguration(text: string, source: string): Configuration {
  if (text.length > 1 << 20) throw new KeelError("KEEL-106", `${source} is larger than 1 MiB`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new KeelError("KEEL-106", `${source} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const result = schema.safeParse(json);
  if (!result.success) throw new KeelError("KEEL-106", `${source}: ${z.prettifyError(result.error)}`);
  const configuration = result.data;
  if (configuration.roles.includes("store") && !(configuration.store.listen && configuration.store.dataDir)) {
    throw new KeelError("KEEL-106", `${source}: the role "store" needs store.listen and store.dataDir`);
  }
  if (configuration.roles.includes("updates") && configuration.updates === undefined)
    throw new KeelError("KEEL-106", `${source}: the role "updates" needs updates.listen`);
  return configuration;
}

// What the update service is told by people: applications, their packages, the channels that say which version is
// current, and groups of machines with the policy by which they get there. docs/update-service.md tells the rest.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";

const printable = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;
const words = (longest: number) => z.string().check(z.maxLength(longest), z.regex(printable));
const some = (longest: number) => words(longest).check(z.minLength(1));

const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const productId = "(?=.{1,155}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+";

/** A UUID without braces, or a reverse-domain product id; in lower case, as `plainId` writes them. */
export const applicationId = z.string().check(z.regex(new RegExp(`^(?:${uuid}|${productId})$`)));

/** One to eight numbers, with a pre-release and a build, as the protocol's own reader takes them. */
export const updateVersion = z
  .string()
  .check(
    z.maxLength(128),
    z.regex(
      /^[0-9]{1,15}(?:\.[0-9]{1,15}){0,7}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/,
    ),
  );

/** Debian's names: amd64, arm64. */
export const updateArchitecture = z.string().check(z.regex(/^[a-z0-9][a-z0-9_]{0,31}$/));

/** Of a channel or a group. */
export const updateName = z.string().check(z.regex(/^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$/));

/** What a client may call a group (GROUP= of update.conf): its name, or a UUID of old. */
export const trackName = z.string().check(z.regex(/^[a-zA-Z0-9{](?:[a-zA-Z0-9._{}-]{0,126}[a-zA-Z0-9}])?$/));

export const applicationKinds = ["system", "container", "other"] as const;

/** `updates/applications/<id>`. */
export const applicationCodec = recordCodec(
  "application",
  z.object({
    id: applicationId,
    name: some(100),
    kind: z.enum(applicationKinds),
    description: z._default(words(1000), ""),
    /** Whether a machine goes back only with a leave signed by the release key; update_engine knows of none. */
    signedDowngrades: z._default(z.boolean(), false),
  }),
);
export type UpdateApplication = ReturnType<typeof applicationCodec.decode>;

const base64 = (bytes: number) => {
  const rest = bytes % 3;
  const length = Math.ceil(bytes / 3) * 4 - (rest === 0 ? 0 : 3 - rest);
  return z
    .string()
    .check(z.regex(new RegExp(`^[A-Za-z0-9+/]{${length}}${"=".repeat(rest === 0 ? 0 : 3 - rest)}$`)));
};

const packageFile = z.object({
  /** The last part of its URL. */
  name: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,254}$/)),
  /** Bytes. */
  size: z.int().check(z.gte(1)),
  /** Hexadecimal. */
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  /** Base64: what Omaha 3.0 calls `hash`. */
  sha1: z.optional(base64(20)),
  /** Whether a client cannot do without it. */
  required: z._default(z.boolean(), true),
});
export type PackageFile = z.infer<typeof packageFile>;

const address = z.string().check(z.maxLength(2000), z.regex(/^https?:\/\/[^\s\p{Cc}]+$/u));

/** `updates/packages/<application>/<version>@<architecture>`. */
export const packageCodec = recordCodec(
  "package",
  z.object({
    application: applicationId,
    version: updateVersion,
    architecture: updateArchitecture,
    /** The first is the payload. */
    files: z.array(packageFile).check(z.minLength(1), z.maxLength(64)),
    /** Folders that hold the files, the first to be tried first; the server's own when there is none. */
    urls: z._default(z.array(address).check(z.maxLength(16)), []),
    /** What the client is told about the payload beyond its file. */
    postinstall: z._default(
      z.object({
        /** Base64, of the payload: update_engine checks no other hash. The first file's when left out. */
        sha256: z.optional(base64(32)),
        needsAdmin: z.optional(z.boolean()),
        isDelta: z.optional(z.boolean()),
        disablePayloadBackoff: z._default(z.boolean(), true),
        maxFailuresPerUrl: z.optional(z.int().check(z.gte(1), z.lte(1000))),
        displayVersion: z.optional(words(128)),
        moreInfo: z.optional(address),
      }),
      { disablePayloadBackoff: true },
    ),
    notes: z._default(z.string().check(z.maxLength(20_000)), ""),
    /** Unix milliseconds. */
    added: moment,
    by: z._default(words(200), ""),
    /** Not to be given to anyone any more; what has it keeps it. */
    retired: z._default(z.boolean(), false),
  }),
);
export type UpdatePackage = ReturnType<typeof packageCodec.decode>;

const promotion = z.object({
  version: updateVersion,
  by: z._default(words(200), ""),
  /** Unix milliseconds. */
  at: moment,
});

/** `updates/channels/<application>/<name>`. */
export const updateChannelCodec = recordCodec(
  "channel",
  z.object({
    application: applicationId,
    name: updateName,
    /** What is current, by architecture, and who said so. */
    versions: z.record(updateArchitecture, promotion),
    /** Versions that nobody may jump over on the way up. */
    floors: z._default(
      z.array(z.object({ version: updateVersion, reason: words(500) })).check(z.maxLength(100)),
      [],
    ),
    /** A colour by which the dashboard tells channels apart, `#rrggbb`. */
    color: z.optional(z.string().check(z.regex(/^#[0-9a-f]{6}$/))),
  }),
);
export type UpdateChannel = ReturnType<typeof updateChannelCodec.decode>;

export const metadataFields = [
  "alias",
  "machine",
  "address",
  "board",
  "oem",
  "oemVersion",
  "alephVersion",
  "hardwareClass",
  "version",
  "architecture",
] as const;
export type MetadataField = (typeof metadataFields)[number];

/** What a machine says of itself. One of `equals` and `startsWith`. */
const metadataMatch = z
  .object({
    field: z.enum(metadataFields),
    equals: z.optional(words(200)),
    startsWith: z.optional(some(200)),
  })
  .check(
    z.refine(
      ({ equals, startsWith }) => (equals === undefined) !== (startsWith === undefined),
      "it needs one of equals and startsWith",
    ),
  );
export type MetadataMatch = z.infer<typeof metadataMatch>;

const wave = z.object({
  /** Of the group's machines, those of the waves before counted in. */
  percent: z.number().check(z.gt(0), z.lte(100)),
  /** After the rollout began. */
  afterSeconds: z.int().check(z.gte(0), z.lte(90 * 86_400)),
  /** So many machines must have the version, or all that were given it if they are fewer. */
  successes: z._default(z.int().check(z.gte(0), z.lte(100_000)), 0),
});
export type Wave = z.infer<typeof wave>;

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];

const timezone = z.string().check(
  z.maxLength(64),
  z.refine((name) => {
    try {
      new Intl.DateTimeFormat("en", { timeZone: name }).format(0);
      return true;
    } catch {
      return false;
    }
  }, "no such time zone"),
);

const updateWindow = z.object({
  days: z.array(z.enum(weekdays)).check(z.minLength(1), z.maxLength(7)),
  /** `hh:mm` on the clock there. */
  start: z.string().check(z.regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/)),
  minutes: z.int().check(z.gte(1), z.lte(7 * 1440)),
  /** IANA's name. */
  timezone: z._default(timezone, "UTC"),
});
export type UpdateWindow = z.infer<typeof updateWindow>;

/** Most grants that are counted in a period. */
export const mostPerPeriod = 100_000;
/** Longest period, in seconds. */
export const longestPeriod = 7 * 86_400;

const policy = z.object({
  paused: z._default(z.boolean(), false),
  /** The first is the canary. Each takes more and begins later than the one before; without any, all may at once. */
  waves: z._default(z.array(wave).check(z.maxLength(20), z.refine(rising, "waves must rise, up to 100")), [
    { percent: 5, afterSeconds: 0, successes: 0 },
    { percent: 25, afterSeconds: 3600, successes: 1 },
    { percent: 100, afterSeconds: 4 * 3600, successes: 5 },
  ]),
  /** Machines that update at the same time. */
  atOnce: z._default(z.nullable(z.int().check(z.gte(1), z.lte(1_000_000))), 10),
  /** Machines that begin within any stretch of so many seconds. */
  perPeriod: z._default(
    z.nullable(
      z.object({
        count: z.int().check(z.gte(1), z.lte(mostPerPeriod)),
        seconds: z.int().check(z.gte(1), z.lte(longestPeriod)),
      }),
    ),
    null,
  ),
  /** Without any, it is always open. */
  windows: z._default(z.array(updateWindow).check(z.maxLength(20)), []),
  /** Machines that are left alone: one that matches is enough. */
  exclude: z._default(z.array(metadataMatch).check(z.maxLength(100)), []),
  /** This version, whatever the channel says. */
  pin: z._default(z.nullable(updateVersion), null),
  /** Versions that machines may go back to, with the signed leave for it in base64 where one is needed. */
  allowDowngrade: z._default(
    z
      .array(
        z.object({
          to: updateVersion,
          leave: z.optional(z.string().check(z.regex(/^[A-Za-z0-9+/]{4,87400}={0,2}$/))),
        }),
      )
      .check(z.maxLength(8)),
    [],
  ),
  /** When a release stops by itself; never when null. */
  halt: z._default(
    z.nullable(
      z.object({
        /** So many machines failed. */
        failures: z.int().check(z.gte(1), z.lte(1_000_000)),
        /** Or this share of those that came to an end, 0 to 1, … */
        share: z.number().check(z.gt(0), z.lte(1)),
        /** … when there are so many of them. */
        ofAtLeast: z.int().check(z.gte(1), z.lte(1_000_000)),
      }),
    ),
    { failures: 10, share: 0.2, ofAtLeast: 5 },
  ),
  /** What follows a halt. */
  backTo: z._default(z.enum(["off", "last-good"]), "off"),
  /** A machine that says nothing new for so long gives its slot back. */
  grantSeconds: z._default(z.int().check(z.gte(60), z.lte(7 * 86_400)), 3600),
  /** A machine that has the version must stay well for so long before it counts. */
  healthSeconds: z._default(z.int().check(z.gte(0), z.lte(86_400)), 0),
  /** How often a machine is given one version before a person must look. */
  attempts: z._default(z.int().check(z.gte(1), z.lte(100)), 3),
  /** Whether only machines that prove who they are are given updates. */
  verified: z._default(z.enum(["required", "any"]), "any"),
  /** Machines that are in the first wave, or in the last. The first rule that matches counts. */
  wariness: z._default(
    z.array(z.object({ match: metadataMatch, turn: z.enum(["early", "late"]) })).check(z.maxLength(100)),
    [],
  ),
});
export type UpdatePolicy = z.infer<typeof policy>;

/** What a group does when nothing else is said: a canary, brakes, ten at once. */
export const defaultPolicy: UpdatePolicy = policy.parse({});

/** `updates/groups/<application>/<name>`. */
export const updateGroupCodec = recordCodec(
  "group",
  z.object({
    application: applicationId,
    name: updateName,
    /** Other names by which clients ask for it. */
    tracks: z._default(z.array(trackName).check(z.maxLength(50)), []),
    channel: updateName,
    policy: z._default(policy, defaultPolicy),
    description: z._default(words(1000), ""),
  }),
);
export type UpdateGroup = ReturnType<typeof updateGroupCodec.decode>;

function rising(waves: readonly Wave[]): boolean {
  if (waves.length > 0 && waves.at(-1)?.percent !== 100) return false;
  return waves.every((one, place) => {
    const before = waves[place - 1];
    return before === undefined || (one.percent > before.percent && one.afterSeconds >= before.afterSeconds);
  });
}

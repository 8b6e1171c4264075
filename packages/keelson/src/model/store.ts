// The store as its own subject: where it is, who is a member of it, and what its machines need to speak to it.
import * as z from "zod/mini";
import { recordCodec } from "./record.ts";

const machine = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const pem = z.string().check(z.maxLength(8192));
const url = z.string().check(z.maxLength(300), z.regex(/^https?:\/\/[^/\s,]+$/));
const word = z.string().check(z.maxLength(300));

export const storeKinds = ["embedded", "etcd"] as const;
export type StoreKind = (typeof storeKinds)[number];

/** `store/location`. Everyone follows the one with the highest epoch. */
const location = z.object({
  /** Grows with every change of where the store is or of who its members are. */
  epoch: z.int().check(z.gte(1)),
  kind: z.enum(storeKinds),
  endpoints: z.array(url).check(z.minLength(1), z.maxLength(16)),
  /** How many members the cluster is to have; 1 for the embedded store. */
  size: z.int().check(z.gte(1), z.lte(9)),
  /** SHA-256 of the authority's certificate; empty without TLS. */
  authority: z.string().check(z.regex(/^([0-9a-f]{64})?$/)),
  /** etcd's cluster id, hexadecimal. */
  clusterId: z.string().check(z.regex(/^[0-9a-f]{1,16}$/)),
  /** Unix milliseconds. */
  since: z.number(),
});
export const locationCodec = recordCodec("store location", location);
export type StoreLocation = ReturnType<typeof locationCodec.decode>;

/** `store/authority`. */
export const authorityCodec = recordCodec(
  "store authority",
  z.object({ certificate: pem, fingerprint: z.string().check(z.regex(/^[0-9a-f]{64}$/)), holder: machine }),
);
export type StoreAuthority = ReturnType<typeof authorityCodec.decode>;

/** `store/members/<machine>`: what a machine's member is to be. Written by whoever changes the membership. */
export const memberOrderCodec = recordCodec(
  "store member order",
  z.object({
    machine,
    /** etcd's name of the member: new for every one, so that a machine's second member is not taken for its first. */
    name: z.string().check(z.regex(/^[a-z0-9][a-z0-9.-]{0,80}$/)),
    /** `remove`: the machine stops it and deletes its data. */
    wanted: z.enum(["run", "remove"]),
    clientUrl: url,
    peerUrl: url,
    /** How it finds the others when it starts for the first time. */
    bootstrap: z.union([
      z.object({ discovery: z.string().check(z.maxLength(300), z.regex(/^https?:\/\/\S+$/)) }),
      z.object({ found: z.string().check(z.maxLength(4000), z.regex(/^[^\s"]+$/)) }),
      z.object({ join: z.string().check(z.maxLength(4000), z.regex(/^[^\s"]+$/)) }),
    ]),
    quotaBytes: z.int().check(z.gte(1 << 20)),
  }),
);
export type MemberOrder = ReturnType<typeof memberOrderCodec.decode>;

/** `store/reports/<machine>`: what has become of the order, in systemd's words. */
export const memberReportCodec = recordCodec(
  "store member report",
  z.object({ machine, name: word, active: word, sub: word, problem: z.string().check(z.maxLength(1000)) }),
);
export type MemberReport = ReturnType<typeof memberReportCodec.decode>;

/** `store/clients/<machine>`: how far a keeld has come. */
export const storeClientCodec = recordCodec(
  "store client",
  z.object({
    machine,
    /** Of which authority it holds a certificate. */
    authority: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    /** Epoch of the location at which it uses the store; 0 for where its configuration says. */
    epoch: z.int().check(z.gte(0)),
  }),
);
export type StoreClientRecord = ReturnType<typeof storeClientCodec.decode>;

/** `store/requests/<machine>/<use>`. */
export const requestCodec = recordCodec("certificate request", z.object({ machine, request: pem }));
export type CertificateRequest = ReturnType<typeof requestCodec.decode>;

/** `store/certificates/<machine>/<use>`. */
export const certificateCodec = recordCodec(
  "certificate",
  z.object({
    machine,
    certificate: pem,
    /** SHA-256 of the request that it answers. */
    answers: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  }),
);
export type IssuedCertificate = ReturnType<typeof certificateCodec.decode>;

/** `store/replacements/<machine>`: a person wants this machine's member elsewhere. Gone when it is. */
export const replacementCodec = recordCodec(
  "store replacement",
  z.object({
    machine,
    /** Unix milliseconds. */
    since: z.number(),
  }),
);
export type StoreReplacement = ReturnType<typeof replacementCodec.decode>;

/** The credential `keelson.store` of a machine that comes to a store which has moved. Holds a private key. */
export const newcomerCodec = recordCodec(
  "store credential",
  z.object({ location, ca: pem, cert: pem, key: pem }),
);
export type NewcomerCredentials = ReturnType<typeof newcomerCodec.decode>;

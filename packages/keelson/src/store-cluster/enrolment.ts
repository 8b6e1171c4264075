// How a machine comes to a certificate of the store's authority: it puts its request into the store, the keeld
// that has the authority puts the certificate beside it. Both hold no secrets.
import { requestHash } from "../authority/identity.ts";
import type { Identity } from "../authority/identity.ts";
import type { CertificateUse } from "../authority/authority.ts";
import { keys } from "../model/keys.ts";
import { requestCodec } from "../model/store.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import type { StoreClient } from "../registry/store-client.ts";

export interface Enrolment {
  readonly store: StoreClient;
  readonly records: StoreRecords;
  /** This machine's id. */
  readonly machine: string;
  readonly use: CertificateUse;
  readonly signal: AbortSignal;
}

/**
 * One step towards a good certificate. Resolves with what is still missing, in words, or undefined when the
 * identity is good. To be called again whenever the records have changed.
 */
export async function enrol(identity: Identity, enrolment: Enrolment): Promise<string | undefined> {
  const { store, records, machine, use, signal } = enrolment;
  const { authority } = records;
  if (authority === undefined) return "the store has no authority";
  if (identity.problem(authority.certificate) === undefined) return undefined;
  const request = await identity.request();
  const issued = records.certificate(machine, use);
  if (issued?.answers === requestHash(request)) {
    return identity.accept(issued.certificate, authority.certificate);
  }
  if (records.request(machine, use)?.request !== request) {
    const value = requestCodec.encode({ machine, request });
    await store.txn({ compare: [], write: [{ put: keys.storeRequest(machine, use), value }] }, { signal });
  }
  return "the certificate is requested";
}

// Signs what machines request, on the one keeld that has the authority's key.
// Invariants: only machines that the cluster knows get a certificate; its name and addresses are those of the
// machine's own record and of its order; a request is answered once.
import type { Authority, CertificateUse } from "../authority/authority.ts";
import { requestHash } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { certificateCodec } from "../model/store.ts";
import { listMembers } from "../registry/registration.ts";
import type { StoreClient } from "../registry/store-client.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import { wakeful } from "./wakeful.ts";

export interface IssuerOptions {
  readonly store: StoreClient;
  readonly records: StoreRecords;
  /** The authority once there is one on this machine. */
  readonly authority: () => Promise<Authority | undefined>;
  /** This keeld's own machine id: it may run no agent and so be no member of the cluster. */
  readonly machine: string;
  readonly clock: Clock;
  readonly log: Log;
}

const uses: ReadonlySet<string> = new Set(["client", "member"] satisfies CertificateUse[]);

/** Issues until the signal aborts. */
export function issue(options: IssuerOptions, signal: AbortSignal): Promise<void> {
  const refused = new Set<string>();
  return wakeful(options, signal, async () => {
    const { records } = options;
    const authority = records.authority === undefined ? undefined : await options.authority();
    if (authority === undefined || authority.fingerprint !== records.authority?.fingerprint) return;
    for (const { machine, use } of records.requests()) {
      const request = records.request(machine, use)?.request;
      if (request === undefined || !uses.has(use)) continue;
      const answers = requestHash(request);
      const name = `${machine}/${use}/${answers}`;
      if (records.certificate(machine, use)?.answers === answers || refused.has(name)) continue;
      try {
        await answer(options, { authority, machine, use: use as CertificateUse, request, answers, signal });
      } catch (error) {
        options.log.warn("a certificate was not issued", { machine, use, error: describeError(error) });
        if (refused.size > 1000) refused.clear();
        refused.add(name);
      }
    }
  });
}

interface Answer {
  readonly authority: Authority;
  readonly machine: string;
  readonly use: CertificateUse;
  readonly request: string;
  readonly answers: string;
  readonly signal: AbortSignal;
}

async function answer(options: IssuerOptions, wanted: Answer): Promise<void> {
  const { store, log } = options;
  const { authority, machine, use, request, answers, signal } = wanted;
  const member = (await listMembers(store, { signal })).find(({ id }) => id === machine);
  if (member === undefined && (machine !== options.machine || use === "member"))
    throw new Error("the cluster knows no such machine");
  const addresses =
    use === "member" && member !== undefined ? memberAddresses(member.address, member.name) : [];
  const certificate = await authority.sign({ request, use, name: machine, addresses });
  const value = certificateCodec.encode({ machine, certificate, answers });
  await store.txn({ compare: [], write: [{ put: keys.storeCertificate(machine, use), value }] }, { signal });
  log.info("issued a certificate", { machine, use });
}

/** What a member's certificate names. */
export function memberAddresses(address: string, name: string): readonly string[] {
  return [...new Set([address, name, "127.0.0.1", "localhost"])];
}

// The machine's record under its lease, and the member's record that stays.
import { KeelError } from "../base/errors.ts";
import { keys, prefixes } from "../model/keys.ts";
import { machineCodec, memberCodec } from "../model/machine.ts";
import type { Machine, Member } from "../model/machine.ts";
import { prefixEnd } from "./store-client.ts";
import type { CallOptions, Compare, StoreClient, StoredValue, StoreWrite } from "./store-client.ts";

export interface Registration {
  /** Unix milliseconds at which this boot of the machine registered first. */
  readonly since: number;
  /** A lease of an earlier registration that still lives and that nobody renews any more; 0n for none. */
  readonly formerLease: bigint;
}

/**
 * Writes both records. Rejects with KEEL-106 while another machine with the same machine id is registered:
 * one with another address and another boot, whose lease lives.
 */
export async function register(
  client: StoreClient,
  machine: Machine,
  {
    lease,
    joined,
    signal,
  }: { readonly lease: bigint; readonly joined: number; readonly signal: AbortSignal },
): Promise<Registration> {
  const machineKey = keys.machine(machine.id);
  const memberKey = keys.member(machine.id);
  for (;;) {
    const { values } = await client.getAll([machineKey, memberKey], { signal });
    const stored = values.find(({ key }) => key === machineKey);
    const member = values.find(({ key }) => key === memberKey);
    const former = stored && readMachine(stored);
    if (former && stored.lease !== lease) refuseDuplicate(former, machine);
    const since = former?.bootId === machine.bootId ? former.since : machine.since;
    const compare: Compare[] = [guard(machineKey, stored), guard(memberKey, member)];
    const write: StoreWrite[] = [
      { put: machineKey, value: machineCodec.encode({ ...machine, since }), lease },
      ...memberWrites(machine, member, joined),
    ];
    const answer = await client.txn({ compare, write }, { signal });
    if (answer.succeeded) return { since, formerLease: stored && stored.lease !== lease ? stored.lease : 0n };
  }
}

/**
 * The cluster forgets a machine that is gone, and what it was to do. Returns the revision. Rejects with KEEL-403
 * when the machine is there.
 */
export async function removeMember(
  client: StoreClient,
  machine: string,
  options: CallOptions = {},
): Promise<number> {
  const orders = keys.scheduleOf(machine);
  const statuses = keys.statusOf(machine);
  const { succeeded, revision } = await client.txn(
    {
      compare: [{ key: keys.machine(machine), target: "create", is: "=", revision: 0 }],
      write: [
        { delete: keys.member(machine) },
        { delete: orders, end: prefixEnd(orders) },
        { delete: statuses, end: prefixEnd(statuses) },
        { delete: keys.systemOrder(machine) },
        { delete: keys.systemReport(machine) },
        ...storeTraces(machine),
      ],
    },
    options,
  );
  if (!succeeded) throw new KeelError("KEEL-403", `the machine ${machine} is back in the cluster`);
  return revision;
}

/** What a machine has below store/, but for an order to be a member: the leader takes that back. */
function storeTraces(machine: string): StoreWrite[] {
  const ranges = [keys.storeRequest(machine, ""), keys.storeCertificate(machine, "")];
  return [
    ...[keys.storeClient(machine), keys.storeReport(machine), keys.storeReplacement(machine)].map((key) => ({
      delete: key,
    })),
    ...ranges.map((prefix) => ({ delete: prefix, end: prefixEnd(prefix) })),
  ];
}

/** Members by their id, straight from the store. */
export async function listMembers(client: StoreClient, options: CallOptions = {}): Promise<Member[]> {
  const request = { key: prefixes.members, end: prefixEnd(prefixes.members) };
  const { values } = await client.range(request, options);
  return values.flatMap((stored) => {
    const member = readMember(stored);
    return member === undefined ? [] : [member];
  });
}

function refuseDuplicate(former: Machine, machine: Machine): void {
  if (former.bootId === machine.bootId || former.address === machine.address) return;
  throw new KeelError(
    "KEEL-106",
    `another machine with the machine id ${machine.id} is in the cluster: ${former.name} at ${former.address}`,
    {
      hint: "One of the two was copied from the other. Empty /etc/machine-id on it and start it again.",
    },
  );
}

function memberWrites(machine: Machine, stored: StoredValue | undefined, joined: number): StoreWrite[] {
  const { id, name, address, apiPort } = machine;
  const known = stored && readMember(stored);
  const member: Member = { id, name, address, apiPort, joined: known?.joined ?? joined };
  const value = memberCodec.encode(member);
  return known !== undefined && memberCodec.encode(known) === value ? [] : [{ put: keys.member(id), value }];
}

const guard = (key: string, stored: StoredValue | undefined): Compare => ({
  key,
  target: "mod",
  is: "=",
  revision: stored?.modRevision ?? 0,
});

function readMachine({ key, value }: StoredValue): Machine | undefined {
  try {
    return machineCodec.decode(key, value);
  } catch {
    return undefined;
  }
}

function readMember({ key, value }: StoredValue): Member | undefined {
  try {
    return memberCodec.decode(key, value);
  } catch {
    return undefined;
  }
}

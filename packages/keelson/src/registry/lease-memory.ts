// What a daemon leaves to its successor, so that it goes on with the same lease.

/** A small text that survives the daemon's restart, and not the machine's. */
export interface LeaseMemory {
  /** undefined when nothing was written yet. */
  read(): Promise<string | undefined>;
  write(text: string): Promise<void>;
}

export interface RememberedLease {
  readonly lease: bigint;
  readonly machine: string;
  readonly bootId: string;
  /** Unix milliseconds of this boot's first registration. */
  readonly since: number;
}

export function writeMemory({ lease, ...rest }: RememberedLease): string {
  return JSON.stringify({ lease: lease.toString(16), ...rest });
}

/** undefined for anything that is no such text: the daemon then registers anew. */
export function readMemory(text: string | undefined): RememberedLease | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { lease, machine, bootId, since } = json as Record<string, unknown>;
  if (typeof lease !== "string" || !/^[0-9a-f]{1,16}$/.test(lease)) return undefined;
  if (typeof machine !== "string" || typeof bootId !== "string" || typeof since !== "number")
    return undefined;
  return { lease: BigInt(`0x${lease}`), machine, bootId, since };
}

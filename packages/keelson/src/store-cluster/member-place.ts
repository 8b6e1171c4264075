// Where a member of the store listens, and how much it holds.

export const clientPort = 2379;
export const peerPort = 2380;
/** What a member may hold: etcd's own default. Its advice ends at 8 GiB. */
export const quotaBytes = 2 * 2 ** 30;

/** With brackets around an IPv6 address. */
export function secureUrl(address: string, port: number): string {
  return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

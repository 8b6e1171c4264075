// keeld's configuration from the section `keelson`: where the store is and under which address others reach this
// machine are found out here, all the rest is written as it was said.
import { isIP } from "node:net";
import { parseConfiguration } from "../../base/configuration.ts";
import type { Clock } from "../../base/clock.ts";
import { describeError, KeelError } from "../../base/errors.ts";
import type { KeelsonConfig } from "../machine-config.ts";
import { fetchBounded } from "../sources/http.ts";
import type { Machine, NetworkFacts } from "./machine.ts";

/** The store's port, wherever keeld holds it, and that of every keeld's reading API. */
const storePort = 2379;
const apiPort = 7411;

export interface PlaceOptions {
  readonly machine: Machine;
  readonly clock: Clock;
  /** What is given up after: an address may come late, and so may the first store. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** JSON of the credential `keelson.config`. Rejects with KEEL-844 when address or store cannot be found. */
export async function keeldConfiguration(
  wanted: KeelsonConfig,
  hostname: string | undefined,
  options: PlaceOptions,
): Promise<string> {
  const address = wanted.address ?? (await ownAddress(wanted, options));
  if (isIP(address) === 0) throw new KeelError("KEEL-844", `${address} is no IP address`);
  const isStore = wanted.roles.includes("store");
  const own = `http://${isIP(address) === 6 ? `[${address}]` : address}:${storePort}`;
  const name = wanted.name ?? hostname;
  if (isStore && wanted.discovery !== undefined)
    await register(wanted.discovery, name ?? address, own, options);
  let endpoints = wanted.endpoints;
  if (endpoints.length === 0) {
    if (isStore) endpoints = [own];
    else endpoints = await discover(wanted.discovery ?? "", options);
  }
  const text = JSON.stringify({
    cluster: wanted.cluster,
    ...(name !== undefined && { name }),
    roles: wanted.roles,
    address,
    metadata: wanted.metadata,
    ...(wanted.reserve !== undefined && { reserve: wanted.reserve }),
    store: {
      endpoints,
      ...(isStore && {
        listen: [{ host: address, port: storePort }],
        dataDir: "/var/lib/keelson/embedded-store",
      }),
    },
    api: { socket: "/run/keelson/api.sock", listen: [{ host: address, port: apiPort }] },
  });
  parseConfiguration(text, "the section keelson");
  return `${text}\n`;
}

/** The address of the interface that was named, or of the one that leads out; waits for it. */
async function ownAddress(wanted: KeelsonConfig, options: PlaceOptions): Promise<string> {
  const { machine, clock, patienceMs, signal } = options;
  for (const end = clock.now() + patienceMs; ;) {
    const found = addressOf(await machine.network(), wanted.interface);
    if (found !== undefined) return found;
    if (clock.now() >= end) break;
    await clock.sleep(250, signal);
  }
  throw new KeelError(
    "KEEL-844",
    wanted.interface === undefined
      ? "the machine has no address on a network that leads anywhere"
      : `the interface ${wanted.interface} has no address`,
    { hint: "name it: `address` or `interface` in the section keelson" },
  );
}

/** IPv4 goes first: that is what clusters of machines mostly speak. */
export function addressOf(facts: NetworkFacts, wanted?: string): string | undefined {
  const name = wanted ?? facts.defaultInterface;
  const own = facts.addresses.filter((entry) => name !== undefined && entry.interface === name);
  const candidates = wanted === undefined && name === undefined ? facts.addresses : own;
  return (candidates.find(({ family }) => family === 4) ?? candidates[0])?.address;
}

/** Tells discovery where the store is. The value is etcd's: `name=URL`. */
async function register(url: string, name: string, own: string, options: PlaceOptions): Promise<void> {
  const member = name.replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, 64);
  const body = new URLSearchParams({ value: `${member}=${own}` }).toString();
  await patiently(options, async () => {
    const answer = await fetchBounded(`${url}/${member}`, {
      method: "PUT",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body,
    });
    if (answer.status !== 200 && answer.status !== 201)
      throw new Error(`discovery answered ${answer.status} to the registration`);
    return answer;
  });
}

async function discover(url: string, options: PlaceOptions): Promise<readonly string[]> {
  return await patiently(options, async () => {
    const answer = await fetchBounded(url, {});
    if (answer.status !== 200) throw new Error(`discovery answered ${answer.status}`);
    const found = endpointsIn(answer.body.toString());
    if (found.length === 0) throw new Error("no store has registered yet");
    return found;
  });
}

/** The stores in what discovery answers: `{"node":{"nodes":[{"value":"name=http://host:port"}]}}`. */
export function endpointsIn(text: string): readonly string[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return [];
  }
  const nodes = (answer as { node?: { nodes?: unknown } } | null)?.node?.nodes;
  if (!Array.isArray(nodes)) return [];
  const urls = nodes.slice(0, 64).flatMap((node: unknown): string[] => {
    const value = (node as { value?: unknown } | null)?.value;
    const url = typeof value === "string" ? /=(https?:\/\/[^/\s,]{1,300})\/?$/.exec(value)?.[1] : undefined;
    // Members of etcd register where their peers find them, a port beside the one for clients.
    return url === undefined ? [] : [url.replace(/:2380$/, `:${storePort}`)];
  });
  return [...new Set(urls)];
}

async function patiently<Result>(options: PlaceOptions, ask: () => Promise<Result>): Promise<Result> {
  const { clock, patienceMs, signal } = options;
  const end = clock.now() + patienceMs;
  for (let wait = 500; ; wait = Math.min(5000, wait * 2)) {
    try {
      return await ask();
    } catch (cause) {
      if (clock.now() + wait >= end)
        throw new KeelError("KEEL-844", `the store cannot be found: ${describeError(cause)}`, {
          hint: "is the machine with the role store up, and `discovery` the same on both?",
          cause,
        });
      await clock.sleep(wait, signal);
    }
  }
}

// What keeld is told in a local cluster: on the host it is the store and the API, on machines all the rest.
import type { Configuration } from "../../base/configuration.ts";
import { KeelError } from "../../base/errors.ts";

export const storePort = 2379;
/** The port of every daemon's reading API in the cluster's network. */
export const apiPort = 7411;
/** The dashboard's first port on the host's loopback. */
export const firstDashboardPort = 7400;

export interface HostPlace {
  readonly cluster: string;
  /** The host's address in the cluster's network. */
  readonly address: string;
  readonly dashboardPort: number;
  /** The dashboard's built files. */
  readonly dashboard: string;
  readonly storeFolder: string;
  readonly stateFolder: string;
  /** Where its socket lies: the one over which `keel` reaches the cluster. */
  readonly runtimeFolder: string;
  /** Where fleet's API takes changes over TCP; nowhere unless asked for. */
  readonly fleet?: { readonly host: string; readonly port: number } | undefined;
}

/** The configuration of the host's keeld. */
export function hostConfiguration(place: HostPlace): Configuration {
  return {
    ...shared,
    cluster: place.cluster,
    name: "host",
    roles: ["store", "api"],
    address: place.address,
    metadata: {},
    store: {
      endpoints: [storeEndpoint(place.address)],
      listen: [{ host: place.address, port: storePort }],
      dataDir: place.storeFolder,
    },
    api: {
      socket: `${place.runtimeFolder}/api.sock`,
      listen: [
        { host: "127.0.0.1", port: place.dashboardPort },
        { host: place.address, port: apiPort },
      ],
      dashboard: place.dashboard,
    },
    ...(place.fleet !== undefined && { fleet: { listen: [place.fleet] } }),
    stateDir: place.stateFolder,
    runtimeDir: place.runtimeFolder,
  };
}

/**
 * The configuration of a machine, which it gets as a credential. `memoryBytes`: what the machine may promise to
 * units, where it sees more than it has. `slowness`: how many times longer it may take to renew its leases.
 */
export function machineConfiguration(machine: {
  readonly cluster: string;
  readonly name: string;
  readonly address: string;
  readonly hostAddress: string;
  readonly memoryBytes?: number | undefined;
  readonly slowness?: number;
}): Configuration {
  const { memoryBytes, slowness = 1 } = machine;
  return {
    ...shared,
    leaseSeconds: shared.leaseSeconds * slowness,
    leaderLeaseSeconds: shared.leaderLeaseSeconds * slowness,
    cluster: machine.cluster,
    name: machine.name,
    roles: ["agent", "leader", "api"],
    address: machine.address,
    metadata: { zone: zoneOf(machine.name) },
    ...(memoryBytes === undefined ? {} : { capacity: { memoryBytes } }),
    store: { endpoints: [storeEndpoint(machine.hostAddress)] },
    api: { socket: "/run/keelson/api.sock", listen: [{ host: machine.address, port: apiPort }] },
    stateDir: "/var/lib/keelson",
    runtimeDir: "/run/keelson",
  };
}

/** `127.0.0.1:49153` of `keel up --fleet`; undefined for `off`. KEEL-104 */
export function parseFleetAddress(text: string): HostPlace["fleet"] {
  if (text === "off") return undefined;
  const [, bracketed, plain, port = ""] =
    /^(?:\[([0-9A-Fa-f:]+)\]|([A-Za-z0-9_.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) > 0 && Number(port) < 65_536) return { host, port: Number(port) };
  throw new KeelError("KEEL-104", `--fleet ${text}: no address`, { hint: "--fleet 127.0.0.1:49153, or off" });
}

/** m1, m4, m7 are in zone a, m2, m5 in b, m3, m6 in c: something for MachineMetadata= to choose from. */
export function zoneOf(machine: string): string {
  const number = Number(/(\d+)$/.exec(machine)?.[1] ?? 1);
  return "abc"[(Math.max(1, number) - 1) % 3] ?? "a";
}

function storeEndpoint(address: string): string {
  return `http://${address}:${storePort}`;
}

const shared = { leaseSeconds: 6, leaderLeaseSeconds: 4, logLevel: "info" } as const;

// Where fleet's API listens by itself: its socket, which the original's clients look for, and TCP listeners that
// take changes, for clients elsewhere. Nobody asks who comes in there: they are off unless the operator names them.
import { isIP } from "node:net";
import type { Configuration } from "../../base/configuration.ts";
import { describeError } from "../../base/errors.ts";
import { Listener } from "../listener.ts";
import type { ListenerOptions } from "../listener.ts";

/** fleetctl's own default is the same place: /var/run is /run. */
export const fleetSocket = "/run/fleet.sock";

export interface FleetPlaces {
  readonly socket: string | undefined;
  readonly tcp: readonly { readonly host: string; readonly port: number }[];
}

export interface FleetDoors {
  readonly listeners: readonly Listener[];
  readonly listening: FleetPlaces;
}

/** KEEL-106 for a place that the configuration names and that cannot be had; the socket of its own accord is given up. */
export async function openFleetDoors(
  { fleet, roles }: Configuration,
  options: ListenerOptions,
): Promise<FleetDoors> {
  const listeners: Listener[] = [];
  const tcp: { host: string; port: number }[] = [];
  const inFleet = { ...options, speaksFleet: true };
  try {
    for (const address of fleet?.listen ?? []) {
      const names = isIP(address.host) === 0 ? [...options.names, address.host.toLowerCase()] : options.names;
      const listener = await Listener.onTcp(address, { ...inFleet, names: new Set(names) }, "open-tcp");
      listeners.push(listener);
      tcp.push({ host: address.host, port: listener.port });
    }
    if (tcp.length > 0)
      options.log.warn("fleet’s API takes changes from everyone who reaches it", {
        tcp: tcp.map(({ host, port }) => `${host}:${port}`),
      });
    const named = fleet?.socket;
    const socket = named ?? (roles.includes("agent") ? fleetSocket : false);
    if (socket === false) return { listeners, listening: { socket: undefined, tcp } };
    const listener = await Listener.onSocket(socket, inFleet).catch((error: unknown) => {
      if (named !== undefined) throw error;
      options.log.warn(`fleet’s API does not listen at ${socket}`, { error: describeError(error) });
      return undefined;
    });
    if (listener !== undefined) listeners.push(listener);
    return { listeners, listening: { socket: listener && socket, tcp } };
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()));
    throw error;
  }
}

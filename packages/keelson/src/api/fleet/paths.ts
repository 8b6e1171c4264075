/** Where fleet's API lies: its own prefix, and the one that it had before 1.0. */
export const fleetPrefixes = ["/fleet/v1", "/v1-alpha"] as const;

/** Whether the path of a URL belongs to fleet's API. */
export const isFleetPath = (path: string): boolean =>
  fleetPrefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));

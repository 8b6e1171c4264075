// What an attacker could do from inside of each service, as `systemd-analyze security` counts it (0 nothing, 10
// everything): os/exposure.json has the most that each may have, and why. A service that grows above is found by a test.
import * as z from "zod/mini";

const entry = z.strictObject({
  limit: z.number().check(z.gte(0), z.lte(10)),
  reason: z.string().check(z.minLength(20), z.maxLength(400)),
});
const shape = z.record(z.string().check(z.regex(/^[\w@.-]{1,100}\.service$/)), entry);

/** By name of the service. */
export type ExposureLimits = z.infer<typeof shape>;

/** Throws when a limit has no reason, or is none. */
export function parseExposureLimits(text: string): ExposureLimits {
  return z.parse(shape, JSON.parse(text));
}

/** One sentence for each service that is above its limit, or has none. */
export function overExposed(limits: ExposureLimits, exposures: ReadonlyMap<string, number>): string[] {
  return [...exposures].flatMap(([unit, exposure]) => {
    const limit = limits[unit]?.limit;
    if (limit === undefined)
      return [`${unit} has an exposure of ${exposure}, and os/exposure.json has no limit for it`];
    return exposure <= limit
      ? []
      : [`${unit} has an exposure of ${exposure}, and os/exposure.json allows ${limit}`];
  });
}

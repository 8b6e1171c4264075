// The leader's deciders by which the API foretells: all but those that begin something by the clock alone, which
// would happen whatever is supposed.
import { deciders } from "../leader/deciders.ts";
import type { Decider } from "../model/decision.ts";

const byTheClock: ReadonlySet<string> = new Set(["timers"]);

export const foretellers: readonly Decider[] = deciders.filter(({ name }) => !byTheClock.has(name));

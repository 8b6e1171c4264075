// etcd's --auth-token: `simple`, or `jwt,sign-method=RS256,priv-key=FILE,pub-key=FILE,ttl=10m`.
import { readFileSync } from "node:fs";
import { EtcdError } from "../../errors.ts";
import type { MonotonicClock } from "../options.ts";
import type { AuthState } from "./auth-state.ts";
import { JsonWebTokens } from "./jwt.ts";
import { SimpleTokens, type TokenProvider } from "./tokens.ts";

const DEFAULT_TTL_MS = 300_000;
const JWT_OPTIONS: ReadonlySet<string> = new Set(["sign-method", "pub-key", "priv-key", "ttl"]);
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

export interface TokenSettings {
  /** As etcd's --auth-token has it. Default: "simple". */
  readonly token?: string | undefined;
  /** How long an unused simple token lasts, in seconds. Default, and what 0 stands for: 300. */
  readonly tokenTtl?: number | undefined;
}

/**
 * Reads key files, if there are any.
 * @throws EtcdError INVALID_ARGUMENT
 */
export function tokenProvider(
  auth: AuthState,
  settings: TokenSettings,
  clock: MonotonicClock,
): TokenProvider {
  const { token = "simple", tokenTtl = 0 } = settings;
  const [type = "", ...rest] = token.split(",");
  const options = new Map<string, string>();
  for (const part of rest) {
    const [name = "", value, ...more] = part.split("=");
    if (value === undefined || more.length > 0)
      throw refuse(token, `${JSON.stringify(part)} is not NAME=VALUE`);
    if (options.has(name)) throw refuse(token, `${name} is given twice`);
    options.set(name, value);
  }
  if (type === "simple") {
    if (rest.length > 0) throw refuse(token, "simple tokens have no options");
    if (!(tokenTtl >= 0)) throw refuse(token, `${tokenTtl} s is not a time to live`);
    return new SimpleTokens(auth, { clock, ttlMs: tokenTtl * 1000 || DEFAULT_TTL_MS });
  }
  if (type !== "jwt") throw refuse(token, `${JSON.stringify(type)} is neither simple nor jwt`);
  const unknown = [...options.keys()].find((name) => !JWT_OPTIONS.has(name));
  if (unknown !== undefined) throw refuse(token, `jwt has no option ${unknown}`);
  const ttl = options.get("ttl");
  const ttlMs = ttl === undefined || ttl === "" ? DEFAULT_TTL_MS : durationMs(ttl);
  if (ttlMs === undefined) throw refuse(token, `${JSON.stringify(ttl)} is not a duration such as 10m`);
  return new JsonWebTokens(auth, {
    signMethod: options.get("sign-method") ?? "",
    publicKey: contents(token, options.get("pub-key")),
    privateKey: contents(token, options.get("priv-key")),
    ttlMs,
  });
}

/** A duration as Go writes it; undefined if it is none, or not above zero. */
function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)((\d+(\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns))*$/.test(text)) {
    return undefined;
  }
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([a-zµ]+)/g)) {
    sum += Number(count) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  }
  return sum > 0 ? sum : undefined;
}

function contents(token: string, file: string | undefined): Buffer | undefined {
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new EtcdError("INVALID_ARGUMENT", `auth token ${token}: ${file} cannot be read`, { cause });
  }
}

function refuse(token: string, why: string): EtcdError {
  return new EtcdError("INVALID_ARGUMENT", `auth token ${token}: ${why}`);
}

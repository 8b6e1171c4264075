// bcrypt, in the form in which etcd keeps it: "$2a$COST$…", so that either can take the other's users.
import { compare, genSalt, hash } from "bcryptjs";

/** Bounds of the cost, and etcd's default. Each step doubles the time. */
export const BCRYPT_COST = { least: 4, most: 31, default: 10 } as const;

/** Longer ones would be cut off. */
export const MOST_PASSWORD_BYTES = 72;

export type PasswordJob =
  | { readonly kind: "hash"; readonly password: string; readonly cost: number }
  | { readonly kind: "compare"; readonly password: string; readonly hash: string };

/** The hash, or whether the password is the one that was hashed. */
export async function carryOut(job: PasswordJob): Promise<string | boolean> {
  // What is no hash is nobody's.
  if (job.kind === "compare") return await compare(job.password, job.hash).catch(() => false);
  const salt = await genSalt(job.cost);
  // The same algorithm; Go's library writes the older letter.
  return await hash(job.password, salt.replace(/^\$2.\$/, "$2a$"));
}

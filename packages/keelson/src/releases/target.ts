// Whom a document is for.
import type { Circumstances } from "./machine.ts";
import { refuse } from "./refusal.ts";

/** Throws KEEL-827 unless product, variant and architecture are the machine's, and the root speaks for the product. */
export function checkTarget(
  target: { readonly product: string; readonly variant: string; readonly architecture: string },
  { trust, machine }: Pick<Circumstances, "trust" | "machine">,
): void {
  if (!trust.products.some((product) => product === target.product))
    refuse("KEEL-827", `root ${trust.version} does not speak for ${target.product}`);
  for (const field of ["product", "variant", "architecture"] as const)
    if (target[field] !== machine[field])
      refuse("KEEL-827", `it is for ${field} ${target[field]}, this machine’s is ${machine[field]}`);
}

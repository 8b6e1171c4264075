import { readFile } from "node:fs/promises";
import * as z from "zod/mini";

/** Where first-boot configuration writes `update`. */
export const updateSettingsPath = "/etc/keelson/update.json";

const schema = z.object({
  source: z.optional(z.string().check(z.minLength(1), z.maxLength(2048))),
  channel: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
});

/** Where this machine's releases are, as its configuration says. Empty when it says nothing that can be read. */
export async function readUpdateSettings(path = updateSettingsPath): Promise<z.infer<typeof schema>> {
  try {
    const result = schema.safeParse(JSON.parse((await readFile(path, "utf8")).slice(0, 65_536)));
    return result.success ? result.data : {};
  } catch {
    return {};
  }
}

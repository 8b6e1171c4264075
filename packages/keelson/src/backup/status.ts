// What a schedule's last try came to, beside its backups: a failure that left no file is seen there.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { writeWhole } from "./manifest.ts";

const file = "status";

const schema = z.object({
  failure: z.nullable(z.object({ at: z.number(), cluster: z.string(), why: z.string() })),
});
export type BackupStatus = z.infer<typeof schema>;

/** Undefined where no schedule has written anything, or nothing that can be read. */
export async function readStatus(directory: string): Promise<BackupStatus | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(join(directory, file), "utf8")));
  } catch {
    return undefined;
  }
}

export async function writeStatus(directory: string, status: BackupStatus): Promise<void> {
  await writeWhole(join(directory, file), (write) => write(Buffer.from(JSON.stringify(status))));
}

import { EtcdError } from "../errors.ts";

/** A file of the store cannot be read or written. */
export function ioError(path: string, action: string, cause: unknown): EtcdError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EtcdError("STORE_IO", `cannot ${action} ${path}: ${reason}`, { cause });
}

/** A file of the store is not what was written. `where` is a byte offset. */
export function damaged(path: string, where: number, what: string): EtcdError {
  return new EtcdError(
    "STORE_DAMAGED",
    `${path} is damaged at byte ${where}: ${what}. Nothing was changed. Restore the directory from a backup.`,
  );
}

/** The errno name of a failed system call, if that is what it is. */
export function errnoOf(error: unknown): string | undefined {
  const { cause } = error as { cause?: unknown };
  const { code } = (cause ?? error) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

import { EtcdError } from "../errors.ts";

/** A file of the store cannot be read or written. */
export function ioError(path: string, action: string, cause: unknown): EtcdError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EtcdError("STORE_IO", `cannot ${action} ${path}: ${reason}`, { cause });
}

/** Where a file of the store is not what was written. */
export interface Damage {
  readonly path: string;
  /** In bytes. */
  readonly offset: number;
  readonly what: string;
}

/** A file of the store is not what was written; the error's cause is the {@link Damage}. */
export function damaged(path: string, offset: number, what: string): EtcdError {
  const cause: Damage = { path, offset, what };
  return new EtcdError(
    "STORE_DAMAGED",
    `${path} is damaged at byte ${offset}: ${what}. Nothing was changed. Restore the directory from a backup.`,
    { cause },
  );
}

/** A file was written by another version of the store. */
export function otherFormat(path: string, what: string, formats: readonly [number, number]): EtcdError {
  const [found, known] = formats;
  return new EtcdError(
    "STORE_IO",
    `${path} has ${what} ${found}, this version reads ${known}. Start it with the version that wrote it.`,
  );
}

/** The errno name of a failed system call, if that is what it is. */
export function errnoOf(error: unknown): string | undefined {
  const { cause } = error as { cause?: unknown };
  const { code } = (cause ?? error) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

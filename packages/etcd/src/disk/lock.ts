import { DatabaseSync } from "node:sqlite";
import { EtcdError } from "../errors.ts";
import { ioError } from "./failure.ts";

/** SQLite's result code for a file that another connection has locked (https://sqlite.org/rescode.html#busy). */
const BUSY = 5;

/**
 * Holds a data directory for one process. The kernel gives the lock back when the process ends, however it ends.
 * Node has no call to lock a file, but its SQLite locks the files that it opens; this file stays empty.
 */
export class DirectoryLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws STORE_IN_USE if another process, or this one, holds it, and STORE_IO if it cannot be taken. */
  static take(path: string): DirectoryLock {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path);
      database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new DirectoryLock(database);
    } catch (cause) {
      database?.close();
      if ((cause as { errcode?: unknown }).errcode !== BUSY) throw ioError(path, "lock", cause);
      throw new EtcdError(
        "STORE_IN_USE",
        `another process uses this data directory (its lock is ${path}). Stop it, or choose another directory.`,
        { cause },
      );
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

import { DatabaseSync } from "node:sqlite";
import { EtcdError } from "../errors.ts";

/**
 * Holds a data directory for one process. The kernel gives the lock back when the process ends, however it ends.
 * Node has no call to lock a file, but its SQLite locks the files that it opens; this file stays empty.
 */
export class DirectoryLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws STORE_IN_USE if another process, or this one, holds it. */
  static take(path: string): DirectoryLock {
    const database = new DatabaseSync(path);
    try {
      database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (cause) {
      database.close();
      throw new EtcdError(
        "STORE_IN_USE",
        `another process uses this data directory (its lock is ${path}). Stop it, or choose another directory.`,
        { cause },
      );
    }
    return new DirectoryLock(database);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

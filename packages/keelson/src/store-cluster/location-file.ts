// Where the store was when this keeld heard of it last: it looks there first when it starts.
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { writeSecret } from "../authority/private-key.ts";
import { locationCodec } from "../model/store.ts";
import type { StoreLocation } from "../model/store.ts";

export class LocationFile {
  readonly #path: string;
  #location: StoreLocation | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Reads the file. One that cannot be read is as good as none: the configuration says where to ask then. */
  static async open(path: string, log: Log): Promise<LocationFile> {
    const file = new LocationFile(path);
    try {
      file.#location = locationCodec.decode(path, await readFile(path));
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isAbsent) log.warn("the store's last location cannot be read", { error: describeError(error) });
    }
    return file;
  }

  /** undefined: as in the configuration. */
  get location(): StoreLocation | undefined {
    return this.#location;
  }

  /** On disk when it resolves. */
  async write(location: StoreLocation): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    await writeSecret(this.#path, `${locationCodec.encode(location)}\n`);
    this.#location = location;
  }
}

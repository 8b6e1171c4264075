// A disk in memory that fails and crashes as real ones do: what was not made durable may be lost in a crash, wholly
// or in blocks, names too; writes can be short, torn or refused. What happens follows from the random source.
import type { Disk, DiskFile } from "../../src/disk/disk.ts";

const BLOCK_BYTES = 512;

interface Content {
  /** What a program reads. */
  cached: Buffer;
  /** What is there after a crash at the least. */
  durable: Buffer;
}

type NameChange = { readonly path: string; readonly content: Content | undefined };

export interface Faults {
  /** Chance of an error for each call, 0 to 1. */
  readonly error: number;
  /** Chance that a write takes only a part. */
  readonly short: number;
}

export class SimulatedDisk implements Disk {
  /** What fails from now on. */
  faults: Faults = { error: 0, short: 0 };
  /** Calls until the power fails. */
  callsUntilCrash = Infinity;
  /** Bytes that fit. */
  capacity = Infinity;
  isDown = false;
  readonly #random: () => number;
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  /** Changes of names that are not durable, in order. */
  #pending: NameChange[] = [];
  /** Starts of the machine so far: files opened before the last one are gone. */
  #boot = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The power comes back: what was not durable is there in parts, or not at all. */
  restart(): void {
    const survive = Math.floor(this.#random() * (this.#pending.length + 1));
    for (const change of this.#pending.slice(0, survive)) apply(this.#durableNames, change);
    this.#pending = [];
    this.#names = new Map(this.#durableNames);
    for (const content of this.#names.values()) {
      content.cached = content.durable = this.#torn(content);
    }
    this.#boot++;
    this.isDown = false;
    this.callsUntilCrash = Infinity;
  }

  async create(path: string): Promise<DiskFile> {
    await this.#call();
    const content: Content = { cached: Buffer.alloc(0), durable: Buffer.alloc(0) };
    this.#rename({ path, content });
    return this.#file(content, false);
  }

  async openDurable(path: string): Promise<DiskFile> {
    await this.#call();
    return this.#file(this.#find(path), true);
  }

  async read(path: string): Promise<Buffer> {
    await this.#call();
    return Buffer.from(this.#find(path).cached);
  }

  async list(path: string): Promise<readonly string[]> {
    await this.#call();
    const prefix = `${path}/`;
    return [...this.#names.keys()]
      .filter((name) => name.startsWith(prefix) && !name.includes("/", prefix.length))
      .map((name) => name.slice(prefix.length));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call();
    const content = this.#find(from);
    this.#rename({ path: to, content });
    this.#rename({ path: from, content: undefined });
  }

  async remove(path: string): Promise<void> {
    await this.#call();
    this.#find(path);
    this.#rename({ path, content: undefined });
  }

  async makeDirectory(): Promise<void> {
    await this.#call();
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#call();
    const isBelow = (change: NameChange): boolean => change.path.startsWith(`${path}/`);
    for (const change of this.#pending.filter(isBelow)) apply(this.#durableNames, change);
    this.#pending = this.#pending.filter((change) => !isBelow(change));
  }

  /** Changes bytes of a file as a bad disk does. */
  damage(path: string, change: (bytes: Buffer) => void): void {
    change(this.#find(path).cached);
  }

  #file(content: Content, isDurable: boolean): DiskFile {
    const boot = this.#boot;
    const check = async (): Promise<void> => {
      await this.#call();
      if (boot !== this.#boot) throw systemError("EBADF");
    };
    return {
      write: async (bytes, position) => {
        const failure = await check().catch((error: unknown) => error);
        // A write that fails may have put a part on the disk.
        const part = failure !== undefined || this.#random() < this.faults.short;
        let length = part ? Math.floor(this.#random() * (bytes.length + 1)) : bytes.length;
        const growth = Math.max(0, position + length - content.cached.length);
        const room = Math.max(0, this.capacity - this.#used());
        if (growth > room) length = Math.max(0, length - (growth - room));
        // What failed to reach the disk may still be read back from the cache.
        const reaches = isDurable && (failure === undefined || this.#random() < 0.5);
        if (boot === this.#boot) put(content, bytes.subarray(0, length), { position, isDurable: reaches });
        if (failure !== undefined) throw failure;
        if (length === 0 && bytes.length > 0) {
          if (growth > room) throw systemError("ENOSPC");
          return await this.#file(content, isDurable).write(bytes, position);
        }
        return length;
      },
      sync: async () => {
        await check();
        content.durable = Buffer.from(content.cached);
      },
      close: check,
    };
  }

  #used(): number {
    return [...this.#names.values()].reduce((sum, { cached }) => sum + cached.length, 0);
  }

  async #call(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (--this.callsUntilCrash <= 0) this.isDown = true;
    if (this.isDown) throw systemError("EIO");
    if (this.#random() < this.faults.error) throw systemError(this.#random() < 0.5 ? "EIO" : "ENOSPC");
  }

  #find(path: string): Content {
    const content = this.#names.get(path);
    if (content === undefined) throw systemError("ENOENT");
    return content;
  }

  #rename(change: NameChange): void {
    apply(this.#names, change);
    this.#pending.push(change);
  }

  /** Each block is as it was made durable, or as it was written last. */
  #torn({ cached, durable }: Content): Buffer {
    if (cached.equals(durable)) return Buffer.from(durable);
    const result = Buffer.alloc(
      this.#random() < 0.5 ? durable.length : Math.max(durable.length, cached.length),
    );
    durable.copy(result);
    for (let at = 0; at < result.length; at += BLOCK_BYTES) {
      if (this.#random() < 0.5) cached.copy(result, at, at, Math.min(at + BLOCK_BYTES, result.length));
    }
    return result;
  }
}

function put(
  content: Content,
  bytes: Uint8Array,
  { position, isDurable }: { readonly position: number; readonly isDurable: boolean },
): void {
  for (const which of isDurable ? (["cached", "durable"] as const) : (["cached"] as const)) {
    if (content[which].length < position + bytes.length) {
      content[which] = Buffer.concat([
        content[which],
        Buffer.alloc(position + bytes.length - content[which].length),
      ]);
    }
    content[which].set(bytes, position);
  }
}

function apply(names: Map<string, Content>, { path, content }: NameChange): void {
  if (content === undefined) names.delete(path);
  else names.set(path, content);
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

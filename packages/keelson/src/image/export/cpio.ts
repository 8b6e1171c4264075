// Archives for the kernel to unpack as its first root: the "newc" form,
// https://docs.kernel.org/driver-api/early-userspace/buffer-format.html

export interface CpioMember {
  readonly path: string;
  /** Undefined: a folder. */
  readonly bytes?: number;
  /** Permission bits. */
  readonly mode: number;
}

const folderKind = 0o040000;
const fileKind = 0o100000;

const padding = (bytes: number): Buffer => Buffer.alloc((4 - (bytes % 4)) % 4);

/** What stands before a member's content. `inode` differs from member to member. */
export function cpioHeader({ path, bytes, mode }: CpioMember, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const fields = [
    inode,
    (bytes === undefined ? folderKind : fileKind) | mode,
    0,
    0,
    bytes === undefined ? 2 : 1,
    0,
    bytes ?? 0,
    0,
    0,
    0,
    0,
    name.length,
    0,
  ];
  const text = `070701${fields.map((value) => value.toString(16).padStart(8, "0")).join("")}`;
  const header = Buffer.concat([Buffer.from(text, "ascii"), name]);
  return Buffer.concat([header, padding(header.length)]);
}

/** What stands behind so many bytes of content. */
export const cpioPadding = padding;

export const cpioEnd: Buffer = cpioHeader({ path: "TRAILER!!!", bytes: 0, mode: 0 }, 0);

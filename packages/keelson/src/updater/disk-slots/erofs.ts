// The superblock of erofs, as far as a slot is told by it: fs/erofs/erofs_fs.h of Linux, struct erofs_super_block.

const superblockOffset = 1024;
const magic = 0xe0f5e1e2;
const uuidOffset = 48;

/** Bytes from the beginning of a slot that {@link readErofsUuid} looks at. */
export const erofsHeadBytes = 4096;

/** UUID of the erofs whose first bytes these are, in lower case; undefined for anything else. */
export function readErofsUuid(head: Uint8Array): string | undefined {
  if (head.byteLength < superblockOffset + uuidOffset + 16) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(superblockOffset, true) !== magic) return undefined;
  const at = superblockOffset + uuidOffset;
  const hex = Buffer.from(head.subarray(at, at + 16)).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

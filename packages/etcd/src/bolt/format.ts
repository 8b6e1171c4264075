// The file format of bbolt (https://github.com/etcd-io/bbolt, page.go, bucket.go and db.go): pages of equal size,
// the first two of them "meta" pages that name the root. Numbers are little-endian. Keys and values are latin1
// strings here, one character a byte.

export const MAGIC = 0xed0cdaed;
export const VERSION = 2;

export const PAGE = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

/** id (8), flags (2), count (2), overflow (4). */
export const PAGE_HEADER_BYTES = 16;
/** Of a leaf: flags, position, key size, value size. Of a branch: position, key size, page (8). */
export const ELEMENT_BYTES = 16;
/** root page (8), sequence (8). A root of 0 means that the bucket's one leaf follows at once. */
export const BUCKET_HEADER_BYTES = 16;
/** Flag of a leaf's element whose value is a bucket. */
export const BUCKET_FLAG = 0x01;

/** magic, version, page size, flags; root (8), sequence (8), freelist (8), pages (8), transaction (8), checksum. */
export const META_BYTES = 64;

/** FNV-1a of 64 bits: the checksum of a meta page. */
export function fnv64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

export interface BoltEntry {
  readonly key: string;
  readonly value: string;
}

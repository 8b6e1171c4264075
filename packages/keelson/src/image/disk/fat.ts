// Makes FAT32 file systems: Microsoft's "FAT: General Overview of On-Disk Format", version 1.03. An ESP is made
// with nothing but this, on any host and into any disk, so that installing needs no mount and no mkfs.
import { posix } from "node:path";

export interface FatFile {
  /** With slashes, without one in front: EFI/BOOT/BOOTX64.EFI. */
  readonly path: string;
  readonly bytes: number;
}

export interface FatOptions {
  /** Of the file system. At least 65,525 clusters make it FAT32. */
  readonly bytes: number;
  readonly sectorBytes: number;
  /** At most 11 capitals. */
  readonly label: string;
  /** The serial number: 32 bits. */
  readonly serial: number;
  /** Where it begins on its disk. */
  readonly offset: number;
}

/** What is to be written: everything but the files' contents, and where those lie. */
export interface FatLayout {
  readonly pieces: readonly { readonly offset: number; readonly data: Buffer }[];
  /** In the order of the files given. Each file is one run. */
  readonly files: readonly { readonly path: string; readonly offset: number; readonly bytes: number }[];
}

const reservedSectors = 32;
const lastCluster = 0x0fffffff;
const isFolder = 0x10;
const isFile = 0x20;
const isLongName = 0x0f;
const isLabel = 0x08;
const entryBytes = 32;
// 1980-01-01, the first day that the format knows.
const firstDay = 0x0021;

interface Folder {
  readonly path: string;
  readonly names: Map<string, Folder | FatFile>;
  cluster: number;
}

/** Lays files out in a new file system. Throws a RangeError when it is too small. */
export function layOutFat(files: readonly FatFile[], options: FatOptions): FatLayout {
  const { sectorBytes, offset } = options;
  const shape = shapeOf(options);
  const root = treeOf(files);
  const table: number[] = [0x0ffffff8, lastCluster];
  const take = (bytes: number): number => {
    const first = table.length;
    const count = Math.max(1, Math.ceil(bytes / shape.clusterBytes));
    for (let index = 1; index < count; index++) table.push(first + index);
    table.push(lastCluster);
    return first;
  };
  const folders = foldersOf(root);
  for (const folder of folders) folder.cluster = take(folderBytes(folder));
  const clusters = new Map(files.map((file) => [file.path, file.bytes === 0 ? 0 : take(file.bytes)]));
  if (table.length - 2 > shape.clusters)
    throw new RangeError(`${options.bytes} bytes are too few for the files`);

  const placeOf = (cluster: number): number => offset + shape.dataStart + (cluster - 2) * shape.clusterBytes;
  const tableData = Buffer.alloc(Math.ceil((table.length * 4) / sectorBytes) * sectorBytes);
  for (const [index, value] of table.entries()) tableData.writeUInt32LE(value, index * 4);
  const tableStart = offset + reservedSectors * sectorBytes;
  return {
    pieces: [
      { offset, data: bootSectors(options, shape, table.length) },
      { offset: tableStart, data: tableData },
      { offset: tableStart + shape.tableSectors * sectorBytes, data: tableData },
      ...folders.map((folder) => ({
        offset: placeOf(folder.cluster),
        data: folderData(folder, { root, label: options.label, clusters, clusterBytes: shape.clusterBytes }),
      })),
    ],
    files: files.map(({ path, bytes }) => ({ path, bytes, offset: placeOf(clusters.get(path) ?? 2) })),
  };
}

interface Shape {
  readonly clusterBytes: number;
  readonly clusters: number;
  readonly tableSectors: number;
  readonly dataStart: number;
}

function shapeOf({ bytes, sectorBytes }: FatOptions): Shape {
  const sectors = Math.floor(bytes / sectorBytes);
  // Larger clusters where there are enough of them: less to read at boot.
  const perCluster = [8, 4, 2, 1].find((count) => sectors / count > 70_000) ?? 1;
  const tableSectors = Math.ceil((Math.ceil(sectors / perCluster) * 4 + 8) / sectorBytes);
  const dataSectors = sectors - reservedSectors - 2 * tableSectors;
  const clusters = Math.floor(dataSectors / perCluster);
  if (clusters < 65_525) throw new RangeError(`${bytes} bytes are too few for FAT32`);
  return {
    clusterBytes: perCluster * sectorBytes,
    clusters,
    tableSectors,
    dataStart: (reservedSectors + 2 * tableSectors) * sectorBytes,
  };
}

/** The first sectors: parameters, free space, and their copy at sector 6. */
function bootSectors(options: FatOptions, shape: Shape, used: number): Buffer {
  const { bytes, sectorBytes, label, serial, offset } = options;
  const all = Buffer.alloc(reservedSectors * sectorBytes);
  const boot = all.subarray(0, sectorBytes);
  Buffer.from([0xeb, 0x58, 0x90]).copy(boot);
  boot.write("KEELSON ", 3, "ascii");
  boot.writeUInt16LE(sectorBytes, 11);
  boot.writeUInt8(shape.clusterBytes / sectorBytes, 13);
  boot.writeUInt16LE(reservedSectors, 14);
  boot.writeUInt8(2, 16);
  boot.writeUInt8(0xf8, 21);
  boot.writeUInt16LE(63, 24);
  boot.writeUInt16LE(255, 26);
  boot.writeUInt32LE(offset / sectorBytes, 28);
  boot.writeUInt32LE(Math.floor(bytes / sectorBytes), 32);
  boot.writeUInt32LE(shape.tableSectors, 36);
  boot.writeUInt32LE(2, 44);
  boot.writeUInt16LE(1, 48);
  boot.writeUInt16LE(6, 50);
  boot.writeUInt8(0x80, 64);
  boot.writeUInt8(0x29, 66);
  boot.writeUInt32LE(serial >>> 0, 67);
  boot.write(label.padEnd(11).slice(0, 11), 71, "ascii");
  boot.write("FAT32   ", 82, "ascii");
  boot.writeUInt16LE(0xaa55, 510);
  const info = all.subarray(sectorBytes, 2 * sectorBytes);
  info.writeUInt32LE(0x41615252, 0);
  info.writeUInt32LE(0x61417272, 484);
  info.writeUInt32LE(shape.clusters - (used - 2), 488);
  info.writeUInt32LE(used, 492);
  info.writeUInt32LE(0xaa550000, 508);
  all.copy(all, 6 * sectorBytes, 0, 2 * sectorBytes);
  return all;
}

function treeOf(files: readonly FatFile[]): Folder {
  const root: Folder = { path: "", names: new Map(), cluster: 0 };
  for (const file of files) {
    let folder = root;
    for (const name of posix
      .dirname(file.path)
      .split("/")
      .filter((part) => part !== "." && part !== "")) {
      let next = folder.names.get(name);
      if (next === undefined) {
        next = { path: posix.join(folder.path, name), names: new Map(), cluster: 0 };
        folder.names.set(name, next);
      }
      if (!("names" in next)) throw new TypeError(`${next.path} is a file and a folder`);
      folder = next;
    }
    folder.names.set(posix.basename(file.path), file);
  }
  return root;
}

function foldersOf(root: Folder): Folder[] {
  const below = [...root.names.values()].filter((entry) => "names" in entry);
  return [root, ...below.flatMap(foldersOf)];
}

const longEntries = (name: string): number => Math.ceil(name.length / 13);

function folderBytes(folder: Folder): number {
  // Two more: the label in the root, `.` and `..` elsewhere.
  return [...folder.names.keys()].reduce((sum, name) => sum + (longEntries(name) + 1) * entryBytes, 64);
}

interface FolderContext {
  readonly root: Folder;
  readonly label: string;
  readonly clusters: ReadonlyMap<string, number>;
  readonly clusterBytes: number;
}

function folderData(folder: Folder, { root, label, clusters, clusterBytes }: FolderContext): Buffer {
  const entries: Buffer[] = [];
  if (folder === root) entries.push(entry(label.padEnd(11).slice(0, 11), isLabel, 0, 0));
  else {
    const parent = foldersOf(root).find((above) => [...above.names.values()].includes(folder));
    entries.push(
      entry(".".padEnd(11), isFolder, folder.cluster, 0),
      entry("..".padEnd(11), isFolder, parent === undefined || parent === root ? 0 : parent.cluster, 0),
    );
  }
  for (const [index, [name, item]] of [...folder.names].entries()) {
    // The short name is never shown: every name has its long form. It must only differ from the others.
    const short = `K${String(index).padStart(7, "0")}`.padEnd(11);
    entries.push(...longName(name, short));
    if ("names" in item) entries.push(entry(short, isFolder, item.cluster, 0));
    else entries.push(entry(short, isFile, clusters.get(item.path) ?? 0, item.bytes));
  }
  const data = Buffer.concat(entries);
  return Buffer.concat([data, Buffer.alloc((clusterBytes - (data.length % clusterBytes)) % clusterBytes)]);
}

function entry(name: string, attributes: number, ...[cluster, bytes]: readonly [number, number]): Buffer {
  const data = Buffer.alloc(entryBytes);
  data.write(name, 0, "latin1");
  data.writeUInt8(attributes, 11);
  for (const at of [16, 18, 24]) data.writeUInt16LE(firstDay, at);
  data.writeUInt16LE(cluster >>> 16, 20);
  data.writeUInt16LE(cluster & 0xffff, 26);
  data.writeUInt32LE(bytes, 28);
  return data;
}

/** The entries with the name's UTF-16, last part first, each with the sum of the short name. */
function longName(name: string, short: string): Buffer[] {
  let sum = 0;
  for (const byte of Buffer.from(short, "latin1")) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const count = longEntries(name);
  const units = Buffer.alloc(count * 26, 0xff);
  units.write(name, 0, "utf16le");
  if (name.length < count * 13) units.writeUInt16LE(0, name.length * 2);
  return Array.from({ length: count }, (_, index) => {
    const part = count - 1 - index;
    const data = Buffer.alloc(entryBytes);
    data.writeUInt8((part + 1) | (index === 0 ? 0x40 : 0), 0);
    data.writeUInt8(isLongName, 11);
    data.writeUInt8(sum, 13);
    const text = units.subarray(part * 26, part * 26 + 26);
    text.copy(data, 1, 0, 10);
    text.copy(data, 14, 10, 22);
    text.copy(data, 28, 22, 26);
    return data;
  });
}

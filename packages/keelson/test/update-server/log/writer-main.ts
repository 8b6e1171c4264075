// A process that writes entries as fast as they are taken and tells of each that is on the disk, until it is killed.
// Argument: the folder. It begins behind the last entry that it finds.
import { writeSync } from "node:fs";
import { EntryLog } from "../../../src/update-server/log/entry-log.ts";
import { Lines } from "./lines.ts";

const state = new Lines();
const log = await EntryLog.open({
  path: process.argv[2] ?? "",
  folds: [state],
  segmentBytes: 16 << 10,
  snapshotBytes: 24 << 10,
});
let next = state.lines.length;
for (;;) {
  const written: Promise<void>[] = [];
  for (let many = 0; many < 8; many++) {
    const entry = JSON.stringify({ n: next++, filling: "x".repeat(50) });
    state.apply(entry);
    const { n } = JSON.parse(entry) as { n: number };
    // Straight to the pipe: what was told is known even if the next instruction is the last.
    written.push(log.append(1, [entry]).then(() => void writeSync(1, `${n}\n`)));
  }
  await written[3];
  await new Promise((resolve) => setImmediate(resolve));
}

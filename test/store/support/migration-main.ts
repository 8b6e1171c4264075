// A mover as a process that ends itself at a step, as a crash would: JSON of MigrationTask. Prints "done" at the end.
import { migrate, resumeMigration } from "../../../packages/etcd/src/migration/index.ts";

export interface MigrationTask {
  readonly from: string;
  readonly to: string;
  readonly journal: string;
  readonly resume: boolean;
  /** A step, "before the write" or "after the write"; "" for none. */
  readonly dieAt: string;
}

const task = JSON.parse(process.argv[2] ?? "") as MigrationTask;
const dieAt = (place: string): void => {
  if (task.dieAt === place) process.kill(process.pid, "SIGKILL");
};
const options = {
  from: { endpoints: [task.from] },
  to: { endpoints: [task.to] },
  journal: task.journal,
  successor: [`http://${task.to}`],
  handOver: async (last: { put(key: string, value: string): Promise<number> }) => {
    dieAt("before the write");
    await last.put("location", task.to);
    dieAt("after the write");
  },
  onProgress: ({ step }: { readonly step: string }) => dieAt(step),
};
const result = await (task.resume ? resumeMigration(options) : migrate(options));
console.log("done", JSON.stringify(result));

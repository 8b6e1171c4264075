// A thread that hashes and compares passwords: one takes tens of milliseconds, in which nothing else would run.
import { parentPort } from "node:worker_threads";
import { carryOut, type PasswordJob } from "./bcrypt.ts";

parentPort?.on("message", (job: PasswordJob) => {
  void carryOut(job).then(
    (result) => parentPort?.postMessage({ result }),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }),
  );
});

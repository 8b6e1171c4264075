// Loaded before each file of tests: a test that leaves something open, as one that fails easily does, would keep
// its process, and so the whole run, from ending. What is left open is named, and fails the file.
import { after } from "node:test";

const GRACE_MS = 10_000;

// The runner itself is not a file of tests.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  after(() => {
    setTimeout(() => {
      console.error(`left open by a test: ${process.getActiveResourcesInfo().join(", ")}`);
      process.exit(1);
    }, GRACE_MS).unref();
  });
}

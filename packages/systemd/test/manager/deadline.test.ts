import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { Deadline } from "../../src/manager/deadline.ts";

test("a deadline aborts with its time or with any signal, and leaves no listener behind", async () => {
  const { signal, abort } = ((controller) => ({
    signal: controller.signal,
    abort: () => controller.abort("why"),
  }))(new AbortController());
  {
    using late = new Deadline(60_000, undefined, signal);
    assert.equal(getEventListeners(signal, "abort").length, 1);
    assert.equal(late.signal.aborted, false);
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
  {
    using soon = new Deadline(1, signal);
    await new Promise((resolve) => soon.signal.addEventListener("abort", resolve));
    assert.equal(soon.expired, true);
  }
  using given = new Deadline(60_000, signal);
  abort();
  assert.deepEqual([given.signal.reason, given.expired], ["why", false]);
  using dead = new Deadline(60_000, signal);
  assert.equal(dead.signal.reason, "why");
});

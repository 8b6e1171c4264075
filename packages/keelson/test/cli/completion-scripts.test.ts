import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { completionScripts } from "../../src/cli/completion-scripts.ts";

/** What bash would offer for a line, with a `keel` that knows three units. */
function bashOffers(line: string): string[] {
  const script = `keel() { [[ $1 == complete && $2 == -- ]] && printf '%s\\tdescription\\n' web@1.container web@2.container db.service; }
${completionScripts.bash}
compopt() { :; }
COMP_LINE=$1 COMP_POINT=\${#1}
_keel
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script, "bash", line], { encoding: "utf8" }).split("\n").filter(Boolean);
}

test("bash: candidates for the last word, cut where bash itself takes words apart", () => {
  assert.deepEqual(bashOffers("keel stop "), ["web@1.container", "web@2.container", "db.service"]);
  assert.deepEqual(bashOffers("keel stop w"), ["web@1.container", "web@2.container"]);
  assert.deepEqual(bashOffers("keel stop web@"), ["1.container", "2.container"]);
  assert.deepEqual(bashOffers("keel stop web@2"), ["2.container"]);
});

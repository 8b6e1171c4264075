import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pollSeconds, readAsUpdateEngine, readResponse } from "../src/index.ts";
import type { OmahaAppAnswer, OmahaManifest, OmahaUpdateAnswer } from "../src/index.ts";
import { recording } from "./recordings.ts";

const manifest: OmahaManifest = {
  version: "2.0.0",
  packages: [{ name: "update.gz", size: 1 }],
  actions: [{ event: "install" }, { event: "postinstall", sha256: "aGFzaA==" }],
};
const good: OmahaUpdateAnswer = {
  status: "ok",
  urls: [{ codebase: "http://a/dir" }, { codebase: "http://b/" }],
  manifests: [manifest],
};
const reading = (...answers: (OmahaUpdateAnswer | undefined)[]) =>
  readAsUpdateEngine({
    protocol: "3.0",
    apps: answers.map((updateCheck, place): OmahaAppAnswer => ({
      id: `${place}`,
      events: [],
      ...(updateCheck ? { updateCheck } : {}),
    })),
  });

describe("update_engine takes from an answer", () => {
  test("an update, with a slash between folder and name", () => {
    assert.deepEqual(reading(good), {
      outcome: "update",
      version: "2.0.0",
      payloadUrls: ["http://a/dir/update.gz", "http://b/update.gz"],
      size: 1,
      sha256: "aGFzaA==",
      isDelta: false,
      waitsBetweenAttempts: true,
      failuresPerUrl: 10,
    });
  });

  test("nothing to do, and when to ask again", () => {
    assert.deepEqual(readAsUpdateEngine(readResponse(recording("reboot 1").response)), {
      outcome: "noupdate",
    });
    assert.deepEqual(reading({ status: "noupdate", pollInterval: 7200, urls: [], manifests: [] }), {
      outcome: "noupdate",
      pollSeconds: 7200,
    });
    assert.deepEqual([60, 3600, 100_000].map(pollSeconds), [2700, 3600, 14_400]);
  });

  test("the first of everything, across applications", () => {
    const other = { ...good, urls: [{ codebase: "http://c/" }], manifests: [] };
    const all = reading(other, good);
    assert.deepEqual(all.outcome === "update" && all.payloadUrls, [
      "http://c/update.gz",
      "http://a/dir/update.gz",
      "http://b/update.gz",
    ]);
    assert.equal(reading({ ...good, status: "noupdate" }, good).outcome, "noupdate");
  });

  test("nothing from one that lacks something, or that is an error to say no", () => {
    const why = (answer?: OmahaUpdateAnswer) => {
      const { outcome, ...rest } = reading(answer);
      return outcome === "invalid" && "why" in rest ? rest.why : outcome;
    };
    const withManifest = (change: Partial<OmahaManifest>) =>
      why({ ...good, manifests: [{ ...manifest, ...change }] });
    assert.equal(why(), "no <updatecheck>");
    assert.equal(why({ urls: [], manifests: [] }), '<updatecheck> has the status ""');
    assert.deepEqual(readAsUpdateEngine(readResponse(recording("held 1").response)), {
      outcome: "invalid",
      code: 34,
      why: '<updatecheck> has the status "error-internal"',
    });
    assert.equal(why({ ...good, manifests: [] }), "no <manifest>");
    assert.equal(why({ ...good, urls: [] }), "no <url>");
    assert.equal(why({ ...good, urls: [...good.urls, {}] }), "a <url> with an empty codebase");
    assert.equal(withManifest({ packages: [] }), "no <package>");
    assert.equal(withManifest({ packages: [{ size: 1 }] }), "the first <package> has no name");
    assert.equal(withManifest({ packages: [{ name: "a" }] }), "the first <package> has no size above 0");
    assert.equal(withManifest({ actions: [] }), 'no <action event="postinstall">');
    assert.equal(
      withManifest({ actions: [{ event: "postinstall" }] }),
      "the postinstall action has no sha256",
    );
  });
});

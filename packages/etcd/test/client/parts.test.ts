// The client's parts that need no store.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { Backoff } from "../../src/client/backoff.ts";
import { parseEndpoint, parseEndpoints } from "../../src/client/endpoint.ts";
import { leavesOpen, mayPass, toEtcdError } from "../../src/client/failure.ts";
import { rangeOf } from "../../src/client/key-value.ts";
import { EtcdClient, EtcdError } from "../../src/client/index.ts";
import { SERVER_REFUSALS } from "../../src/errors.ts";

describe("endpoints", () => {
  it("are read with and without a scheme", () => {
    const plain = { host: "store", port: 2379, name: "store:2379", secure: false };
    assert.deepEqual(parseEndpoint("http://store:2379"), plain);
    assert.deepEqual(parseEndpoint("store:2379/"), plain);
    assert.deepEqual(parseEndpoint("http://10.0.0.1:80"), {
      host: "10.0.0.1",
      port: 80,
      name: "10.0.0.1:80",
      secure: false,
    });
    assert.deepEqual(parseEndpoint("[::1]:2379"), {
      host: "::1",
      port: 2379,
      name: "[::1]:2379",
      secure: false,
    });
    assert.deepEqual(parseEndpoint("HTTPS://store:443"), {
      host: "store",
      port: 443,
      name: "store:443",
      secure: true,
    });
  });

  it("are refused with what is wrong", () => {
    const wrong = [
      "",
      "store",
      "http://store",
      "grpc://store:1",
      "unixs://store:1",
      "https://:p@a:1",
      "store:99999",
      "http://a:1/b",
      "u:p@a:1",
      ":2379",
    ];
    for (const text of wrong) {
      assert.throws(() => parseEndpoint(text), { code: "INVALID_ARGUMENT" }, text);
    }
    assert.throws(() => new EtcdClient({ endpoints: [] }), { code: "INVALID_ARGUMENT" });
  });
});

describe("endpoints of one client", () => {
  it("all speak TLS or none does; without a scheme the settings decide", () => {
    const secure = (texts: readonly string[], withTls: boolean) =>
      parseEndpoints(texts, withTls).map((endpoint) => endpoint.secure);
    assert.deepEqual(secure(["a:1", "http://b:2"], false), [false, false]);
    assert.deepEqual(secure(["a:1", "https://b:2"], true), [true, true]);
    assert.throws(() => secure(["https://a:1", "http://b:2"], false), {
      code: "INVALID_ARGUMENT",
      message: /a:1 speaks TLS and b:2 does not/,
    });
    assert.throws(() => secure(["a:1", "https://b:2"], false), /b:2 speaks TLS and a:1 does not/);
    assert.throws(() => secure(["http://a:1"], true), /TLS is set up, but endpoint a:1 is given as http/);
  });
});

describe("TLS and user of a client", () => {
  const endpoints = ["https://store:2379"];
  it("are refused when they cannot work, without a word of the secret", () => {
    const wrong = [
      { tls: { ca: "garbage" } },
      { tls: { cert: "secret" } },
      { tls: { key: "secret" } },
      { tls: { cert: "secret", key: "secret" } },
      { tls: { serverName: "" } },
      { auth: { username: "", password: "secret" } },
      { auth: { username: "root", password: "" } },
    ];
    for (const options of wrong) {
      assert.throws(
        () => new EtcdClient({ endpoints, ...options }),
        (error) =>
          error instanceof EtcdError &&
          error.code === "INVALID_ARGUMENT" &&
          !inspect(error).includes("secret"),
      );
    }
  });
});

describe("selectors", () => {
  it("match by prefix exactly the keys that begin with it (property)", () => {
    const word = fc.string({ unit: "binary", maxLength: 4 });
    fc.assert(
      fc.property(word, word, (prefix, key) => {
        fc.pre(key !== "");
        const range = rangeOf({ prefix });
        const bytes = Buffer.from(key);
        const inside =
          Buffer.compare(bytes, range.key) >= 0 &&
          (prefix === "" || Buffer.compare(bytes, range.rangeEnd) < 0);
        // "\0" is the smallest key there is, so every key lies in the range of the empty prefix.
        assert.equal(inside, key.startsWith(prefix));
      }),
    );
  });
});

describe("failures", () => {
  it("are recognised by etcd's words", () => {
    for (const [code, [status, words]] of Object.entries(SERVER_REFUSALS)) {
      assert.equal(toEtcdError({ code: status, details: words }, "x").code, code);
    }
    const guess = "etcdserver: request timed out, possibly due to connection lost";
    assert.equal(toEtcdError({ code: 14, details: guess }, "x").code, "SERVER_TIMEOUT");
  });

  it("never lose their cause, whatever it was (property)", () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const error = toEtcdError(thrown, "x");
        assert.ok(error instanceof EtcdError);
        assert.equal(error.cause, thrown);
      }),
    );
  });

  it("leave a write open unless the server surely refused it", () => {
    const of = (status: number, details = "") => toEtcdError({ code: status, details }, "x");
    for (const status of [1, 2, 4, 13, 14, 15, 99]) assert.ok(leavesOpen(of(status)), String(status));
    for (const status of [3, 5, 7, 9, 11, 12, 16]) assert.ok(!leavesOpen(of(status)), String(status));
    assert.ok(leavesOpen(of(14, "etcdserver: leader changed")));
    assert.ok(!leavesOpen(of(14, "etcdserver: no leader")));
    assert.ok(mayPass(of(14, "etcdserver: no leader")));
    assert.ok(!mayPass(of(11, "etcdserver: mvcc: required revision has been compacted")));
  });
});

describe("back-off", () => {
  it("doubles up to its bound, with jitter over the upper half", () => {
    const top = new Backoff({ firstMs: 100, maxMs: 1000 }, { next: () => 1 });
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map(() => top.next()),
      [100, 200, 400, 800, 1000, 1000],
    );
    const bottom = new Backoff({ firstMs: 100, maxMs: 1000 }, { next: () => 0 });
    assert.deepEqual(
      [1, 2, 3].map(() => bottom.next()),
      [50, 100, 200],
    );
    bottom.reset();
    assert.equal(bottom.next(), 50);
  });
});

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { EtcdError } from "../../../src/errors.ts";
import {
  AuthDisableRequestSchema,
  AuthUserDeleteRequestSchema,
} from "../../../src/proto/generated/etcdserverpb/auth_pb.ts";
import { AuthState } from "../../../src/server/auth/auth-state.ts";
import { JsonWebTokens } from "../../../src/server/auth/jwt.ts";
import { tokenProvider } from "../../../src/server/auth/token-options.ts";
import { SimpleTokens } from "../../../src/server/auth/tokens.ts";

describe("simple tokens", () => {
  const at = () => {
    const clock = { time: 0, now: () => clock.time };
    return { clock, tokens: new SimpleTokens(new AuthState(), { clock, ttlMs: 1000 }) };
  };

  it("look as etcd's do, and no two are the same", () => {
    const { tokens } = at();
    const made = Array.from({ length: 100 }, () => tokens.assign("u", 42));
    for (const token of made) assert.match(token, /^[A-Za-z]{16}\.42$/);
    assert.equal(new Set(made).size, 100);
  });

  it("last as long as they are used, and not longer", () => {
    const { clock, tokens } = at();
    const [used, unused] = [tokens.assign("u", 1), tokens.assign("v", 2)];
    clock.time = 600;
    assert.deepEqual(tokens.holder(used), { user: "u", revision: 1 });
    clock.time = 1100;
    assert.equal(tokens.holder(unused), undefined);
    assert.equal(tokens.holder(used)?.user, "u");
    assert.equal(tokens.size, 1);
    clock.time = 2100;
    assert.equal(tokens.holder(used), undefined);
    assert.equal(tokens.holder("never.1"), undefined);
  });

  it("that ran out are forgotten though nobody shows them again", () => {
    const { clock, tokens } = at();
    for (let i = 0; i < 50; i++) tokens.assign("u", i);
    clock.time = 5000;
    tokens.assign("u", 99);
    assert.equal(tokens.size, 1);
  });

  it("end with their user, and all of them when users are asked for no more", () => {
    const { tokens } = at();
    const [u, v] = [tokens.assign("u", 1), tokens.assign("v", 2)];
    tokens.applied({ name: "userDelete", message: create(AuthUserDeleteRequestSchema, { name: "u" }) });
    assert.equal(tokens.holder(u), undefined);
    assert.equal(tokens.holder(v)?.user, "v");
    tokens.applied({ name: "disable", message: create(AuthDisableRequestSchema) });
    assert.equal(tokens.holder(v), undefined);
  });
});

describe("JSON web tokens", () => {
  let directory: string;
  const file = (name: string) => join(directory, name);
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "keelson-jwt-"));
    writeFileSync(file("secret"), "a secret");
    const pairs = {
      rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
      ec256: generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
      ec384: generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
      ec521: generateKeyPairSync("ec", { namedCurve: "secp521r1" }),
      ed: generateKeyPairSync("ed25519"),
    };
    for (const [name, { publicKey, privateKey }] of Object.entries(pairs)) {
      writeFileSync(file(`${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
      writeFileSync(file(`${name}.key`), privateKey.export({ type: "pkcs8", format: "pem" }));
    }
  });
  after(() => rmSync(directory, { recursive: true }));

  const clock = { now: () => 0 };
  const provider = (options: string, auth = new AuthState()) =>
    tokenProvider(auth, { token: `jwt,${options}` }, clock);

  const METHODS = [
    ["RS256", "rsa"],
    ["RS384", "rsa"],
    ["RS512", "rsa"],
    ["PS256", "rsa"],
    ["PS384", "rsa"],
    ["PS512", "rsa"],
    ["ES256", "ec256"],
    ["ES384", "ec384"],
    ["ES512", "ec521"],
    ["EdDSA", "ed"],
  ] as const;

  it("are signed and read with every method, and with the public key alone only read", () => {
    for (const [method, key] of METHODS) {
      const both = provider(
        `sign-method=${method},priv-key=${file(`${key}.key`)},pub-key=${file(`${key}.pub`)}`,
      );
      const reading = provider(`sign-method=${method},pub-key=${file(`${key}.pub`)}`);
      const token = both.assign("zoë", 1);
      assert.deepEqual(both.holder(token), { user: "zoë", revision: 1 }, method);
      assert.deepEqual(reading.holder(token), { user: "zoë", revision: 1 }, method);
      assert.throws(() => reading.assign("u", 1), { message: /verify-only key/ });
    }
    for (const method of ["HS256", "HS384", "HS512"]) {
      const tokens = provider(`sign-method=${method},priv-key=${file("secret")}`);
      assert.equal(tokens.holder(tokens.assign("u", 1))?.user, "u", method);
    }
  });

  it("say which revision they were made at, and count until they run out", () => {
    const auth = new AuthState();
    let time = 1_000_000;
    const privateKey = Buffer.from("k");
    const options = { signMethod: "HS256", publicKey: undefined, privateKey, ttlMs: 60_000 };
    const tokens = new JsonWebTokens(auth, options, () => time);
    const token = tokens.assign("u");
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as unknown;
    assert.deepEqual(claims, { exp: 1060, revision: 1, username: "u" });
    time += 59_000;
    assert.equal(tokens.holder(token)?.revision, 1);
    time += 1000;
    assert.equal(tokens.holder(token), undefined);
  });

  it("are refused unless they are signed as they must be", () => {
    const tokens = provider(`sign-method=HS256,priv-key=${file("secret")}`);
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = (head: unknown, claims: unknown, hash = "sha256") => {
      const text = `${part(head)}.${part(claims)}`;
      return `${text}.${createHmac(hash, "a secret").update(text).digest("base64url")}`;
    };
    const claims = { username: "root", revision: 1 };
    assert.equal(tokens.holder(signed({ alg: "HS256" }, claims))?.user, "root");
    const wrong = [
      `${part({ alg: "none" })}.${part(claims)}.`,
      signed({ alg: "none" }, claims),
      signed({ alg: "HS512" }, claims, "sha512"),
      signed({ alg: "HS256" }, { ...claims, revision: "1" }),
      signed({ alg: "HS256" }, { revision: 1 }),
      signed({ alg: "HS256" }, { ...claims, exp: 1 }),
      signed({ alg: "HS256" }, { ...claims, nbf: 1e12 }),
      signed({ alg: "HS256" }, "root"),
      `${signed({ alg: "HS256" }, claims)}x`,
      `${signed({ alg: "HS256" }, claims)}.x`,
      "x".repeat(1 << 20),
    ];
    for (const token of wrong) assert.equal(tokens.holder(token), undefined, token.slice(0, 200));
  });

  it("are never mistaken for tokens when they are garbage (property)", () => {
    const tokens = provider(`sign-method=ES256,priv-key=${file("ec256.key")}`);
    const good = tokens.assign("u", 1);
    const garbage = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.nat(good.length - 1).map((place) => {
        const other = good[place] === "A" ? "B" : "A";
        return good.slice(0, place) + other + good.slice(place + 1);
      }),
    );
    fc.assert(
      fc.property(garbage, (token) => {
        // The last character of a part may carry bits that mean nothing.
        fc.pre(!good.startsWith(token.slice(0, -1)));
        assert.equal(tokens.holder(token), undefined);
      }),
      { numRuns: 200 },
    );
  });

  it("are refused at the start when they could not work", () => {
    const wrong = [
      "sign-method=RS256",
      "sign-method=none",
      "priv-key=/nowhere",
      `sign-method=constructor,priv-key=${file("secret")}`,
      `sign-method=RS256,priv-key=${file("secret")}`,
      `sign-method=RS256,priv-key=${file("ec256.key")}`,
      `sign-method=ES384,priv-key=${file("ec256.key")}`,
      `sign-method=RS256,priv-key=${file("rsa.key")},pub-key=${file("ec256.pub")}`,
      `sign-method=ES256,priv-key=${file("ec256.key")},ttl=soon`,
      `sign-method=ES256,priv-key=${file("ec256.key")},ttl=0s`,
      `sign-method=ES256,priv-key=${file("ec256.key")},colour=red`,
      `sign-method=ES256,priv-key=${file("ec256.key")},ttl=1m,ttl=1m`,
      "ttl",
    ];
    for (const options of wrong) {
      assert.throws(
        () => provider(options),
        (error) => error instanceof EtcdError && error.code === "INVALID_ARGUMENT",
        options,
      );
    }
    for (const token of ["", "kerberos", "simple,ttl=1m"]) {
      assert.throws(() => tokenProvider(new AuthState(), { token }, clock), { code: "INVALID_ARGUMENT" });
    }
  });
});

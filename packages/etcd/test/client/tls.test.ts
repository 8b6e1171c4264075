// The client over TLS with the real etcd: certificates of both sides, what is refused and why, and renewal.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import type { ClientTls, EtcdClientOptions } from "../../src/client/index.ts";
import { Authority, noOpenssl } from "../certificates.ts";
import { failsWith, PATIENCE_MS } from "./expect.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { freePort } from "../free-port.ts";
import { noRealEtcd, RealEtcd } from "./test-store.ts";

describe("the client over TLS", { skip: noRealEtcd || noOpenssl, concurrency: true }, () => {
  let authority: Authority;
  let other: Authority;
  /** Asks clients for a certificate. */
  let store: RealEtcd;
  /** Has a certificate for `store.test` only, and lets everybody in. */
  let named: RealEtcd;
  let given: ClientTls;

  /** For calls that are to fail. */
  const once = { attempts: 1 } as const;
  const client = (port: number, tls: EtcdClientOptions["tls"], more: Partial<EtcdClientOptions> = {}) =>
    new EtcdClient({
      endpoints: [`https://127.0.0.1:${port}`],
      tls,
      deadlineMs: PATIENCE_MS,
      retry: { attempts: 10 },
      ...more,
    });

  before(async () => {
    [authority, other] = await Promise.all([Authority.make(), Authority.make()]);
    const ca = authority.certificate;
    const shown = await authority.client("client");
    given = { ca: ca.cert, cert: shown.cert, key: shown.key };
    const [server, elsewhere] = [
      await authority.server("server"),
      await authority.server("named", "DNS:store.test"),
    ];
    [store, named] = await Promise.all([
      RealEtcd.start({ tls: { ca, server, client: shown } }),
      RealEtcd.start({ tls: { ca, server: elsewhere, serverName: "store.test" } }),
    ]);
  });
  after(async () => {
    for (const part of [store, named, authority, other]) await part?.[Symbol.asyncDispose]();
  });

  it("reads, writes and watches, with PEM as text and as bytes", async () => {
    const bytes = Object.fromEntries(
      Object.entries(given).map(([name, pem]) => [name, Buffer.from(pem as string)]),
    );
    await using one = client(store.port, given);
    await using two = client(store.port, bytes);
    const { revision } = await one.put("tls/a", "1");
    assert.equal((await two.get("tls/a"))?.modRevision, revision);
    const watch = two.watch(
      { key: "tls/a" },
      { startRevision: revision, signal: AbortSignal.timeout(PATIENCE_MS) },
    );
    assert.equal((await watch.next()).value?.revision, revision);
    await watch.return();
    assert.equal(
      (await one.status(`https://127.0.0.1:${store.port}`)).memberId,
      (await two.status()).memberId,
    );
  });

  it("refuses a server that it cannot trust, and says why", async () => {
    const wrong: readonly [EtcdClientOptions["tls"], number, RegExp][] = [
      [{ ...given, ca: other.ca }, store.port, /no TLS with .*UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
      [{ cert: given.cert, key: given.key }, store.port, /no TLS with .*UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
      [
        { ...given, serverName: "elsewhere.test" },
        store.port,
        /elsewhere\.test.*ERR_TLS_CERT_ALTNAME_INVALID/,
      ],
      [{ ca: authority.ca }, named.port, /127\.0\.0\.1.*ERR_TLS_CERT_ALTNAME_INVALID/],
    ];
    for (const [tls, port, words] of wrong) {
      await using distrusting = client(port, tls);
      const error = await failsWith("UNAVAILABLE", distrusting.get("tls/a", once));
      assert.match(error.message, words);
    }
  });

  it("checks the name that it is told, or none if it is told so", async () => {
    await using told = client(named.port, { ca: authority.ca, serverName: "store.test" });
    await told.get("tls/a");
    await using blind = client(named.port, { insecureSkipVerify: true });
    await blind.get("tls/a");
  });

  it("is refused without the certificate that the server asks for, and says so", async () => {
    const stranger = await other.client("stranger");
    for (const tls of [{ ca: given.ca }, { ca: given.ca, cert: stranger.cert, key: stranger.key }]) {
      await using refused = client(store.port, tls);
      const error = await failsWith("UNAVAILABLE", refused.get("tls/a", once));
      assert.match(error.message, /ended the connection: .*certificate/);
    }
  });

  it("tells a plain server from a secure one", async () => {
    await using plain = await RealEtcd.start();
    await using secure = client(plain.port, given);
    assert.match((await failsWith("UNAVAILABLE", secure.get("a", once))).message, /no TLS with 127\.0\.0\.1/);
    const endpoints = [`http://127.0.0.1:${store.port}`];
    await using unaware = client(0, undefined, { endpoints });
    await failsWith("UNAVAILABLE", unaware.get("a", once));
  });

  it("fails over between secure endpoints", async () => {
    await using working = await TcpProxy.start(store.port);
    const endpoints = [`https://127.0.0.1:${await freePort()}`, working.endpoint, `127.0.0.1:${store.port}`];
    await using many = client(0, given, { endpoints });
    await many.put("tls/many", "1");
    await working.refuse();
    await many.put("tls/many", "2", { idempotent: true });
  });

  it("takes renewed certificates from a function at the next connection", async () => {
    await using proxy = await TcpProxy.start(store.port);
    let asked = 0;
    let now: ClientTls = given;
    const source = () => {
      asked++;
      return Promise.resolve(now);
    };
    await using renewing = client(0, source, { endpoints: [proxy.endpoint] });
    await renewing.get("tls/a");
    await renewing.get("tls/a");
    assert.equal(asked, 1);
    now = { ...given, ca: "half a file" };
    proxy.cut();
    // The first call may still find the old connection.
    await renewing.get("tls/a", once).catch(() => undefined);
    const torn = await failsWith("UNAVAILABLE", renewing.get("tls/a", once));
    assert.match(torn.message, /no TLS settings for a connection: the TLS option ca cannot be used/);
    const renewed = await authority.client("renewed");
    now = { ...given, cert: renewed.cert, key: renewed.key };
    await renewing.get("tls/a");
    assert.ok(asked >= 3);
  });

  it("gives a handshake up that nobody answers", async () => {
    await using proxy = await TcpProxy.start(store.port);
    proxy.silence();
    await using cut = client(0, given, { endpoints: [proxy.endpoint] });
    await failsWith("ABORTED", cut.get("a", { ...once, signal: AbortSignal.timeout(200) }));
    await failsWith("TIMEOUT", cut.get("a", { ...once, deadlineMs: 1500 }));
    proxy.heal();
    await cut.get("a");
  });
});

// The whole suite again, as an operator would have it: over TLS, with client certificates, and by a user of the store.
import { after, before, describe } from "node:test";
import { Authority, noOpenssl } from "../certificates.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { clientSuite } from "./suite.ts";
import { noRealEtcd, REAL_ETCD, RealEtcd } from "./test-store.ts";
import type { StoreSettings, TestStore } from "./test-store.ts";

const auth = { username: "root", password: "correct horse" };

describe("over TLS and with a user", { skip: noOpenssl }, () => {
  let authority: Authority;
  let settings: StoreSettings;
  before(async () => {
    authority = await Authority.make();
    const [server, client] = [await authority.server("server"), await authority.client("client")];
    settings = { tls: { ca: authority.certificate, server, client }, auth };
  });
  after(() => authority[Symbol.asyncDispose]());

  const start = (store: { start(settings: StoreSettings): Promise<TestStore> }) => () =>
    store.start(settings);
  clientSuite("the embedded server, secured", start(EmbeddedStore));
  clientSuite(`the real etcd (${REAL_ETCD}), secured`, start(RealEtcd), noRealEtcd);
});

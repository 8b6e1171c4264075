import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import type { ClientHttp2Session } from "node:http2";
import { get } from "node:https";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect, type ConnectionOptions } from "node:tls";
import type { TlsOptions } from "../../../../src/server/index.ts";
import type { Method, Peer } from "../../../../src/server/transport/call.ts";
import { GrpcServer } from "../../../../src/server/transport/grpc.ts";
import { httpListener } from "../../../../src/server/transport/http.ts";
import { DEFAULT_TRANSPORT_LIMITS } from "../../../../src/server/transport/limits.ts";
import { Listener } from "../../../../src/server/transport/listener.ts";
import { TestAuthority, type IssuedFiles } from "../support/certificates.ts";
import { call, framed, running, scratch, session } from "../support/running.ts";

const MEMBER_LIST = "/etcdserverpb.Cluster/MemberList";

/** A listener with one method, which says whom it was called by. */
async function listening(tls: TlsOptions, plainToo = false) {
  const peers: Peer[] = [];
  const whoAmI: Method = {
    kind: "unary",
    handle: (_request, { peer }) => {
      peers.push(peer);
      return "";
    },
  };
  const services = new Map([["test.Peers", { WhoAmI: whoAmI }]]);
  const grpc = new GrpcServer({
    services,
    mostMessageBytes: 1000,
    limits: DEFAULT_TRANSPORT_LIMITS,
    now: () => performance.now(),
  });
  const reasons: string[] = [];
  const log = (_level: string, _message: string, fields?: Record<string, unknown>): void => {
    reasons.push(String(fields?.["error"]));
  };
  const listener = await Listener.open(
    { host: "127.0.0.1", port: 0, tls, plainToo },
    { grpc, http: httpListener(new Map()), log, connections: 100 },
  );
  return { url: listener.address.url, peers, reasons, [Symbol.asyncDispose]: () => listener.close() };
}

function showing(files: IssuedFiles, authority: TestAuthority): ConnectionOptions {
  return {
    ca: readFileSync(authority.caFile),
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
  };
}

async function whoAmI(url: string, options: ConnectionOptions): Promise<string> {
  using client = session(url, options);
  const answer = await call(client, "/test.Peers/WhoAmI", framed()).catch((error: Error) => error);
  return answer instanceof Error ? "refused" : answer.status;
}

/** Serial number of the certificate that a server shows. */
async function serialShown(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

async function page(
  client: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: unknown; body: string }> {
  const stream = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [fields] = (await once(stream, "response")) as [Record<string, unknown>];
  let text = "";
  for await (const piece of stream.setEncoding("utf8")) text += String(piece);
  return { status: fields[":status"], body: text };
}

describe("TLS", () => {
  test("gRPC, and pages of HTTP/1.1, come over TLS on one port; who speaks neither is told", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const tls = authority.issue("server");
    await using server = await running({ listen: [{ host: "127.0.0.1", port: 0, tls }] });
    const ca = readFileSync(authority.caFile);
    assert.match(server.url, /^https:/);
    using client = session(server.url, { ca });
    assert.equal((await call(client, MEMBER_LIST)).status, "0");
    const request = get(`${server.url}/version`, { ca, agent: false });
    const [page] = (await once(request, "response")) as [import("node:http").IncomingMessage];
    assert.equal(page.statusCode, 200);
    page.destroy();
    // Without ALPN the first bytes tell.
    const bare = connect({ port: server.port, host: "127.0.0.1", ca });
    bare.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    bare.write(Buffer.alloc(9).fill(4, 3, 4));
    const [settings] = (await once(bare, "data")) as [Buffer];
    assert.equal(settings[3], 4);
    bare.destroy();
    const plain = connectPlain(server.port, "127.0.0.1");
    plain.setEncoding("latin1").end("GET /version HTTP/1.1\r\n\r\n");
    const [words] = (await once(plain, "data")) as [string];
    assert.match(words, /^HTTP\/1.0 400 [^]*Client sent an HTTP request to an HTTPS server\.\n$/);
    const noise = connectPlain(server.port, "127.0.0.1");
    noise.resume().write("noise");
    await once(noise, "close");
  });

  test("a port can take clients with TLS and in the clear, each as it begins", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    await using server = await listening(
      { ...authority.issue("server"), trustedCaFile: authority.caFile },
      true,
    );
    const plain = server.url.replace("https", "http");
    assert.equal(await whoAmI(plain, {}), "0");
    assert.equal(await whoAmI(server.url, showing(authority.issue("alice"), authority)), "0");
    assert.deepEqual(
      server.peers.map(({ commonName }) => commonName),
      [undefined, "alice"],
    );
    assert.equal((await fetch(plain)).status, 404);
    assert.equal(await whoAmI(server.url, { ca: readFileSync(authority.caFile) }), "refused");
  });

  test("pages come over HTTP/2 as well, which is what curl and browsers choose", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    await using server = await running({
      listen: [{ host: "127.0.0.1", port: 0, tls: authority.issue("server") }],
    });
    using client = session(server.url, { ca: readFileSync(authority.caFile) });
    assert.deepEqual(await page(client, { ":path": "/health" }), {
      status: 200,
      body: '{"health":"true","reason":""}',
    });
    assert.equal((await page(client, { ":path": "/nothing" })).status, 404);
    // Larger than a window, there and back.
    const value = Buffer.alloc(200_000, "v").toString("base64");
    const put = { ":method": "POST", ":path": "/v3/kv/put", "content-type": "application/json" };
    assert.equal((await page(client, put, JSON.stringify({ key: "YQ==", value }))).status, 200);
    const { body } = await page(client, { ...put, ":path": "/v3/kv/range" }, JSON.stringify({ key: "YQ==" }));
    assert.ok(body.includes(value));
    assert.equal(await page(client, { ":path": "/a b" }).catch(() => "reset"), "reset");
    assert.equal((await call(client, MEMBER_LIST)).status, "0");
  });

  test("a client is known by the name in its certificate, and comes in only with one of the authority's", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const other = new TestAuthority(place.folder, "another authority");
    await using server = await listening({ ...authority.issue("server"), trustedCaFile: authority.caFile });
    assert.equal(await whoAmI(server.url, showing(authority.issue("alice"), authority)), "0");
    assert.equal(server.peers[0]?.commonName, "alice");
    assert.match(server.peers[0].address, /^127\.0\.0\.1:\d+$/);
    assert.equal(await whoAmI(server.url, { ca: readFileSync(authority.caFile) }), "refused");
    const stranger = { ...showing(other.issue("alice"), other), ca: readFileSync(authority.caFile) };
    assert.equal(await whoAmI(server.url, stranger), "refused");
    assert.equal(server.peers.length, 1);
  });

  test("without a trusted authority nobody is asked for a certificate, and no name is taken over", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    await using server = await listening(authority.issue("server"));
    assert.equal(await whoAmI(server.url, showing(authority.issue("alice"), authority)), "0");
    assert.equal(server.peers[0]?.commonName, undefined);
  });

  test("common name and host name can be demanded", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const base = { ...authority.issue("server"), trustedCaFile: authority.caFile };
    const alice = showing(authority.issue("alice", ["alice.example"]), authority);
    const bob = showing(authority.issue("bob", []), authority);
    await using byName = await listening({ ...base, allowedCn: "alice" });
    assert.equal(await whoAmI(byName.url, alice), "0");
    assert.equal(await whoAmI(byName.url, bob), "refused");
    await using byHost = await listening({ ...base, allowedHostname: "alice.example" });
    assert.equal(await whoAmI(byHost.url, alice), "0");
    assert.equal(await whoAmI(byHost.url, bob), "refused");
    assert.match(byHost.reasons[0] ?? "", /^client certificate authentication failed/);
  });

  test("a revoked certificate is refused, from the moment that the list says so", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const alice = authority.issue("alice");
    const crlFile = join(place.folder, "revoked.crl");
    writeFileSync(crlFile, authority.revoke([authority.issue("somebody").serial]));
    const tls = { ...authority.issue("server"), trustedCaFile: authority.caFile, crlFile };
    await using server = await listening(tls);
    assert.equal(await whoAmI(server.url, showing(alice, authority)), "0");
    writeFileSync(crlFile, authority.revoke([alice.serial, authority.issue("another").serial]));
    assert.equal(await whoAmI(server.url, showing(alice, authority)), "refused");
  });

  test("certificates that were replaced count from the next connection on; a broken file changes nothing", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const [first, second] = [authority.issue("first"), authority.issue("second")];
    const tls = { certFile: join(place.folder, "cert"), keyFile: join(place.folder, "key") };
    const install = (files: IssuedFiles): void => {
      copyFileSync(files.certFile, tls.certFile);
      copyFileSync(files.keyFile, tls.keyFile);
    };
    install(first);
    await using server = await running({ listen: [{ host: "127.0.0.1", port: 0, tls }] });
    assert.equal(await serialShown(server.port), first.serial);
    writeFileSync(tls.certFile, "half a");
    assert.equal(await serialShown(server.port), first.serial);
    install(second);
    assert.equal(await serialShown(server.port), second.serial);
  });

  test("options that contradict each other or name no usable file are refused at the start", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const files = authority.issue("server");
    const refusals: readonly [Partial<TlsOptions>, RegExp][] = [
      [{ certFile: join(place.folder, "nothing") }, /ENOENT/],
      [{ keyFile: authority.issue("another").keyFile }, /cannot be used/],
      [{ crlFile: files.certFile }, /no certificate revocation list/],
      [{ allowedCn: "a", allowedHostname: "b" }, /AllowedCN and AllowedHostname are mutually exclusive/],
      [{ cipherSuites: ["TLS_NULL"] }, /unexpected TLS cipher suite "TLS_NULL"/],
      [{ minVersion: "TLS1.3", maxVersion: "TLS1.2" }, /greater than max/],
      [{ minVersion: "TLS1.3", cipherSuites: ["TLS_RSA_WITH_AES_128_GCM_SHA256"] }, /only TLS1.3/],
    ];
    for (const [options, message] of refusals) {
      const tls = { ...files, ...options };
      await assert.rejects(running({ listen: [{ host: "127.0.0.1", port: 0, tls }] }), {
        code: "INVALID_ARGUMENT",
        message,
      });
    }
  });

  test("versions and cipher suites can be chosen", async () => {
    await using place = await scratch();
    const authority = new TestAuthority(place.folder);
    const tls: TlsOptions = {
      ...authority.issue("server"),
      maxVersion: "TLS1.2",
      cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
    };
    await using server = await running({ listen: [{ host: "127.0.0.1", port: 0, tls }] });
    const socket = connect({ port: server.port, host: "127.0.0.1", ca: readFileSync(authority.caFile) });
    await once(socket, "secureConnect");
    assert.equal(socket.getProtocol(), "TLSv1.2");
    assert.equal(socket.getCipher().name, "ECDHE-ECDSA-AES256-GCM-SHA384");
    socket.destroy();
  });
});

// Certificates for tests, made by openssl: an authority, and what it signs.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/** Why there can be no certificates here, or false. */
export const noOpenssl: string | false = existsSync("/usr/bin/openssl")
  ? false
  : "openssl is not installed (Debian: apt-get install openssl)";

/** Files in PEM, and what is in them. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority with a directory of its own. */
export class Authority implements AsyncDisposable {
  readonly certificate: Certificate;
  readonly #dir: string;

  private constructor(certificate: Certificate, dir: string) {
    this.certificate = certificate;
    this.#dir = dir;
  }

  static async make(): Promise<Authority> {
    const dir = await mkdtemp(path.join(tmpdir(), "keelson-certificates-"));
    return new Authority(await make(dir, "authority", ["-subj", "/CN=test authority"]), dir);
  }

  get ca(): string {
    return this.certificate.cert;
  }

  /** For a server at 127.0.0.1 and `localhost`, unless `names` says otherwise ("DNS:a,IP:10.0.0.1"). */
  server(file: string, names = "DNS:localhost,IP:127.0.0.1"): Promise<Certificate> {
    return this.#sign(file, file, `subjectAltName=${names}`);
  }

  /** For a client whose common name is that of a user; an empty one is left out. */
  client(file: string, commonName = file): Promise<Certificate> {
    return this.#sign(file, commonName, "extendedKeyUsage=clientAuth");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  #sign(file: string, commonName: string, extension: string): Promise<Certificate> {
    const { certFile, keyFile } = this.certificate;
    const by = ["-CA", certFile, "-CAkey", keyFile, "-addext", "basicConstraints=critical,CA:FALSE"];
    const subject = commonName === "" ? "/O=test" : `/CN=${commonName}`;
    return make(this.#dir, file, ["-subj", subject, ...by, "-addext", extension]);
  }
}

async function make(dir: string, file: string, argv: readonly string[]): Promise<Certificate> {
  const [certFile, keyFile] = [path.join(dir, `${file}.pem`), path.join(dir, `${file}.key`)];
  await run("openssl", ["req", "-x509", ...KEY, "-out", certFile, "-keyout", keyFile, ...argv]);
  const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
  return { certFile, keyFile, cert, key };
}

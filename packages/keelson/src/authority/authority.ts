// The cluster's certificate authority for the store. The keeld that grows the store makes it and keeps it.
// Invariants: its key lies in one file on one machine, mode 0600, and goes nowhere else; whose name and
// addresses stand in a certificate is decided here and never by the request.
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import { certificateFacts, maxPemLength } from "./certificate.ts";
import { openssl, withScratch } from "./openssl.ts";
import { keepPrivateKey, writeSecret } from "./private-key.ts";
import { signingRequest } from "./signing-request.ts";

/** `client` speaks to the store; `member` is a server of it, and speaks to the other members. */
export type CertificateUse = "client" | "member";

export interface Signing {
  /** The request, in PEM. */
  readonly request: string;
  readonly use: CertificateUse;
  /** Common name: the machine's id. */
  readonly name: string;
  /** For a member: under which addresses and names it is reached. */
  readonly addresses: readonly string[];
}

export const clientDays = 90;
const authorityDays = 3650;
const dayMs = 86_400_000;
/** Clocks of machines differ: a certificate is good from a little before it was made. */
const leewayMs = 600_000;

export class Authority {
  /** The authority's own certificate, in PEM. Everybody may have it. */
  readonly certificate: string;
  readonly #folder: string;
  readonly #clock: Clock;

  private constructor(folder: string, certificate: string, clock: Clock) {
    this.#folder = folder;
    this.certificate = certificate;
    this.#clock = clock;
  }

  /** SHA-256 of the authority's certificate. */
  get fingerprint(): string {
    return certificateFacts(this.certificate).fingerprint;
  }

  /** The authority in a folder; undefined when there is none. Throws KEEL-411 when it is damaged. */
  static async open(folder: string, clock: Clock): Promise<Authority | undefined> {
    const certificate = await readFile(join(folder, "ca.crt"), "utf8").catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      },
    );
    if (certificate === undefined) return undefined;
    certificateFacts(certificate);
    return new Authority(folder, certificate, clock);
  }

  /** The authority in a folder, made when there is none. */
  static async keep(folder: string, cluster: string, clock: Clock): Promise<Authority> {
    const there = await Authority.open(folder, clock);
    if (there) return there;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const key = await keepPrivateKey(join(folder, "ca.key"));
    const request = await signingRequest(key, folder);
    const certificate = await sign(folder, clock, {
      request,
      subject: `/O=Keelson/CN=${cluster} store`,
      days: authorityDays,
      extensions: ["basicConstraints=critical,CA:true,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign"],
      selfSigned: true,
    });
    await writeSecret(join(folder, "ca.crt"), certificate);
    return new Authority(folder, certificate, clock);
  }

  /** Signs a request. Resolves with the certificate in PEM. Throws KEEL-411 when the request proves nothing. */
  sign({ request, use, name, addresses }: Signing): Promise<string> {
    if (!/^[0-9a-f]{32}$/.test(name)) throw new KeelError("KEEL-411", `"${name}" is no machine id`);
    const names = addresses.map(alternativeName);
    const uses = use === "client" ? "clientAuth" : "serverAuth,clientAuth";
    return sign(this.#folder, this.#clock, {
      request,
      subject: `/O=Keelson ${use}/CN=${name}`,
      days: clientDays,
      extensions: [
        "basicConstraints=critical,CA:false",
        "keyUsage=critical,digitalSignature",
        `extendedKeyUsage=${uses}`,
        ...(names.length === 0 ? [] : [`subjectAltName=${names.join(",")}`]),
      ],
      selfSigned: false,
    });
  }
}

interface SignArguments {
  readonly request: string;
  readonly subject: string;
  readonly days: number;
  readonly extensions: readonly string[];
  readonly selfSigned: boolean;
}

async function sign(folder: string, clock: Clock, wanted: SignArguments): Promise<string> {
  if (wanted.request.length > maxPemLength) throw new KeelError("KEEL-411", "the request is too long");
  return withScratch(folder, async (scratch) => {
    const now = clock.wall();
    await writeFile(join(scratch, "settings"), settings(wanted.extensions));
    await writeFile(join(scratch, "index"), "");
    await writeFile(join(scratch, "request"), wanted.request);
    await writeFile(join(scratch, "serial"), `00${randomBytes(16).toString("hex")}\n`);
    const signer = wanted.selfSigned ? ["-selfsign"] : ["-cert", join("..", "ca.crt")];
    const key = ["-keyfile", join("..", "ca.key")];
    const from = ["-startdate", moment(now - leewayMs), "-enddate", moment(now + wanted.days * dayMs)];
    const subject = ["-subj", wanted.subject];
    const rest = ["-batch", "-notext", "-config", "settings", "-in", "request", "-out", "certificate"];
    await openssl(scratch, ["ca", ...signer, ...key, ...from, ...subject, ...rest]);
    const certificate = await readFile(join(scratch, "certificate"), "utf8");
    certificateFacts(certificate);
    return certificate;
  });
}

const settings = (extensions: readonly string[]): string => `[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
copy_extensions = none
x509_extensions = extensions
[any]
organizationName = optional
commonName = supplied
[extensions]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
${extensions.join("\n")}
`;

/** 20260102030405Z. */
const moment = (wallMs: number): string =>
  `${new Date(wallMs)
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replaceAll(/[-T:]/g, "")}Z`;

function alternativeName(address: string): string {
  if (isIP(address) !== 0) return `IP:${address}`;
  if (/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(address)) return `DNS:${address}`;
  throw new KeelError("KEEL-411", `"${address}" is no address or name for a certificate`);
}

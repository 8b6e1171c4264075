// Who this machine is towards the store: its key, and the certificate that an authority has given it for one use.
// Three files that etcd and keeld read: NAME.key (0600), NAME.crt and NAME-ca.crt.
import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { CertificateUse } from "./authority.ts";
import { certificateFacts, certificateProblem } from "./certificate.ts";
import { keepPrivateKey, writeSecret } from "./private-key.ts";
import { signingRequest } from "./signing-request.ts";

export interface IdentityOptions {
  /** A folder on disk. */
  readonly folder: string;
  readonly use: CertificateUse;
  /** Under which addresses a member is reached: its certificate must name them. */
  readonly addresses?: readonly string[];
  readonly clock: Clock;
}

/** PEM, as TLS takes it. */
export interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export class Identity {
  readonly #options: IdentityOptions;
  #key: KeyObject | undefined;
  #certificate: string | undefined;
  #authority: string | undefined;
  #request: string | undefined;

  private constructor(options: IdentityOptions) {
    this.#options = options;
  }

  /** Reads what is there. No key is made before a request is asked for. */
  static async open(options: IdentityOptions): Promise<Identity> {
    const identity = new Identity(options);
    identity.#certificate = await readText(identity.path("crt"));
    identity.#authority = await readText(identity.path("ca"));
    if (identity.#certificate !== undefined) identity.#key = await keepPrivateKey(identity.path("key"));
    return identity;
  }

  /** Where a file of this identity lies. */
  path(what: "key" | "crt" | "ca"): string {
    const { folder, use } = this.#options;
    return join(folder, what === "ca" ? `${use}-ca.crt` : `${use}.${what}`);
  }

  /** Why it cannot be used with this authority, or wants another certificate; undefined when it is good. */
  problem(authority: string): string | undefined {
    if (this.#key === undefined) return "there is no key yet";
    return certificateProblem(this.#certificate, {
      authority,
      key: this.#key,
      addresses: this.#options.addresses ?? [],
      now: this.#options.clock.wall(),
    });
  }

  /** SHA-256 of the authority whose certificate it holds; undefined without one that can be used now. */
  get authority(): string | undefined {
    const problem = this.#authority === undefined ? "none" : this.problem(this.#authority);
    const isUsable = problem === undefined || problem === "it expires before long";
    return isUsable && this.#authority !== undefined
      ? certificateFacts(this.#authority).fingerprint
      : undefined;
  }

  /** Until when (Unix milliseconds) its certificate is good; undefined without one. */
  get until(): number | undefined {
    return this.#certificate === undefined ? undefined : certificateFacts(this.#certificate).until;
  }

  /** For a TLS connection that begins now. Throws when there is no certificate. */
  get credentials(): Credentials {
    if (!this.#key || this.#certificate === undefined || this.#authority === undefined)
      throw new Error("this machine has no certificate for the store yet");
    const key = this.#key.export({ type: "pkcs8", format: "pem" }) as string;
    return { ca: this.#authority, cert: this.#certificate, key };
  }

  /** The request for a certificate, the same until a certificate answers it. */
  async request(): Promise<string> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    this.#key ??= await keepPrivateKey(this.path("key"));
    this.#request ??= await signingRequest(this.#key, this.#options.folder);
    return this.#request;
  }

  /** Takes a certificate up if it is good; returns why not otherwise. */
  async accept(certificate: string, authority: string): Promise<string | undefined> {
    this.#key ??= await keepPrivateKey(this.path("key"));
    const { addresses = [], clock } = this.#options;
    const problem = certificateProblem(certificate, {
      authority,
      key: this.#key,
      addresses,
      now: clock.wall(),
    });
    if (problem !== undefined) return problem;
    if (authority !== this.#authority) await writeSecret(this.path("ca"), authority);
    await writeSecret(this.path("crt"), certificate);
    this.#authority = authority;
    this.#certificate = certificate;
    this.#request = undefined;
    return undefined;
  }
}

/** SHA-256 of a request: a certificate says with it what it answers. */
export function requestHash(request: string): string {
  return createHash("sha256").update(request).digest("hex");
}

function readText(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

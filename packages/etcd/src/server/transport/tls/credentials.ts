// What a listener proves itself with and checks its clients against. As with etcd, files that were replaced count
// from the next connection on; files that cannot be used leave what was read before in force.

import { constants } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { EtcdError } from "../../../errors.ts";
import type { LogFunction, TlsOptions } from "../../options.ts";
import { opensslCiphers } from "./cipher-suites.ts";
import { revokedSerials } from "./revocation.ts";

const VERSIONS = { "TLS1.2": "TLSv1.2", "TLS1.3": "TLSv1.3" } as const;

export interface Credentials {
  readonly identity: SecureContextOptions;
  /** Serial numbers of certificates that are not accepted any more. */
  readonly revoked: ReadonlySet<string>;
}

export class CredentialFiles {
  readonly #options: TlsOptions;
  readonly #log: LogFunction;
  readonly #files: readonly string[];
  #state: string;
  #credentials: Credentials;

  /** Throws INVALID_ARGUMENT for options that contradict each other and for files that cannot be used. */
  constructor(options: TlsOptions, log: LogFunction) {
    checkOptions(options);
    this.#options = options;
    this.#log = log;
    const { certFile, keyFile, trustedCaFile, crlFile } = options;
    this.#files = [certFile, keyFile, trustedCaFile, crlFile].filter((file) => file !== undefined);
    this.#state = this.#stateOfFiles();
    try {
      this.#credentials = read(options);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new EtcdError("INVALID_ARGUMENT", `the certificates cannot be used: ${reason}`, { cause });
    }
  }

  /** As in {@link TlsOptions}: every client shows a certificate that the trusted authorities have signed. */
  get asksClients(): boolean {
    return this.#options.clientCertAuth === true || this.#options.trustedCaFile !== undefined;
  }

  /** What the files hold now. */
  get current(): Credentials {
    const state = this.#stateOfFiles();
    if (state === this.#state) return this.#credentials;
    this.#state = state;
    try {
      this.#credentials = read(this.#options);
      this.#log("info", "read the changed certificates", { certFile: this.#options.certFile });
    } catch (error) {
      this.#log("warn", "the changed certificates cannot be used; those from before stay in force", {
        certFile: this.#options.certFile,
        error: error instanceof Error ? error.message : String(error),
      });
    }
    return this.#credentials;
  }

  #stateOfFiles(): string {
    const states = this.#files.map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    });
    return states.join("\n");
  }
}

function checkOptions(options: TlsOptions): void {
  const { allowedCn, allowedHostname, cipherSuites = [], minVersion, maxVersion } = options;
  const refuse = (message: string): never => {
    throw new EtcdError("INVALID_ARGUMENT", message);
  };
  if (allowedCn !== undefined && allowedHostname !== undefined) {
    refuse(
      `AllowedCN and AllowedHostname are mutually exclusive (cn="${allowedCn}", hostname="${allowedHostname}")`,
    );
  }
  if (minVersion === "TLS1.3" && maxVersion === "TLS1.2")
    refuse("min version (TLS1.3) is greater than max version (TLS1.2)");
  if (minVersion === "TLS1.3" && cipherSuites.length > 0) {
    refuse("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  opensslCiphers(cipherSuites);
}

function read(options: TlsOptions): Credentials {
  const { certFile, keyFile, trustedCaFile, crlFile, cipherSuites = [] } = options;
  const { minVersion = "TLS1.2", maxVersion = "TLS1.3" } = options;
  const identity: SecureContextOptions = {
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    ...(trustedCaFile === undefined ? {} : { ca: readFileSync(trustedCaFile) }),
    ...(cipherSuites.length === 0 ? {} : { ciphers: opensslCiphers(cipherSuites) }),
    minVersion: VERSIONS[minVersion],
    maxVersion: VERSIONS[maxVersion],
    // Without tickets a client is checked anew each time it connects.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  // Throws if they do not fit together.
  createSecureContext(identity);
  const revoked = crlFile === undefined ? new Set<string>() : revokedSerials(readFileSync(crlFile));
  return { identity, revoked };
}

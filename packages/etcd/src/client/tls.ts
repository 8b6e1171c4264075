// TLS towards the store: what the caller gives, checked, and one connection made secure with it.
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Socket } from "node:net";
import { connect, createSecureContext } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { EtcdError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** How to speak TLS. Certificates and keys are PEM. */
export interface ClientTls {
  /** The authorities that the server's certificate is checked against. Default: those that Node.js knows. */
  readonly ca?: string | Uint8Array | undefined;
  /** This client's certificate, with its chain, and its key: both or neither. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Name that the server's certificate must have. Default: the endpoint's host. */
  readonly serverName?: string | undefined;
  /** Accept any certificate: encrypted, but open to whoever stands in between. */
  readonly insecureSkipVerify?: boolean | undefined;
}

/** Settings, or a function that is asked for them before each connection: so that certificates can be renewed. */
export type TlsSource = ClientTls | (() => ClientTls | Promise<ClientTls>);

/** What Node.js takes of them. */
export type TlsSettings = Readonly<
  Pick<ConnectionOptions, "secureContext" | "rejectUnauthorized"> & { serverName: string | undefined }
>;

/** Gives the settings for the next connection. Fails with UNAVAILABLE if the caller's function does. */
export type TlsSupply = () => Promise<TlsSettings>;

/**
 * Checks settings that are given once and for all; those of a function are checked whenever it gives them.
 * @throws EtcdError INVALID_ARGUMENT
 */
export function tlsSupply(source: TlsSource): TlsSupply {
  if (typeof source !== "function") {
    const settings = tlsSettings(source);
    return () => Promise.resolve(settings);
  }
  return async () => {
    try {
      return tlsSettings(await source());
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new EtcdError("UNAVAILABLE", `no TLS settings for a connection: ${why}`, { cause: error });
    }
  };
}

function tlsSettings({ ca, cert, key, serverName, insecureSkipVerify = false }: ClientTls): TlsSettings {
  if ((cert === undefined) !== (key === undefined)) {
    throw new EtcdError("INVALID_ARGUMENT", "a client certificate needs its key, and a key its certificate");
  }
  if (serverName === "") throw new EtcdError("INVALID_ARGUMENT", "serverName must not be empty");
  // OpenSSL takes a list of authorities without one, and would then trust nobody without saying why.
  if (ca !== undefined) readPem("ca", () => new X509Certificate(bytes(ca)));
  if (cert !== undefined) readPem("cert", () => new X509Certificate(bytes(cert)));
  const secureContext = readPem(cert === undefined ? "ca" : "cert with key", () =>
    createSecureContext({
      minVersion: "TLSv1.2",
      ...(ca === undefined ? {} : { ca: bytes(ca) }),
      ...(cert === undefined || key === undefined ? {} : { cert: bytes(cert), key: bytes(key) }),
    }),
  );
  return { secureContext, rejectUnauthorized: !insecureSkipVerify, serverName };
}

function bytes(pem: string | Uint8Array): Buffer {
  return typeof pem === "string" ? Buffer.from(pem) : Buffer.from(pem.buffer, pem.byteOffset, pem.length);
}

function readPem<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code } = error as { code?: string };
    throw new EtcdError("INVALID_ARGUMENT", `the TLS option ${what} cannot be used (${code ?? "not PEM"})`, {
      cause: error,
    });
  }
}

/**
 * Makes a connection secure.
 * @throws EtcdError UNAVAILABLE with OpenSSL's reason
 */
export function secured(socket: Socket, endpoint: Endpoint, settings: TlsSettings): Promise<TLSSocket> {
  const { serverName, ...options } = settings;
  const host = serverName ?? endpoint.host;
  return new Promise((resolve, reject) => {
    const secure = connect({
      ...options,
      socket,
      host,
      // RFC 6066 lets this extension carry names only.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["h2"],
    });
    const ended = () => reject(refusal(endpoint, new Error("the connection ended")));
    const failed = (error: Error) => reject(refusal(endpoint, error));
    secure.once("error", failed);
    secure.once("close", ended);
    secure.once("secureConnect", () => {
      secure.off("error", failed);
      secure.off("close", ended);
      resolve(secure);
    });
  });
}

function refusal(endpoint: Endpoint, error: NodeJS.ErrnoException): EtcdError {
  return new EtcdError("UNAVAILABLE", `no TLS with ${endpoint.name}: ${tlsReason(error)}`, { cause: error });
}

/** Why TLS failed, in one line. OpenSSL's own lines hold addresses in its source. */
export function tlsReason(error: NodeJS.ErrnoException): string {
  const { reason } = error as { reason?: string };
  const code = error.code === undefined ? "" : ` (${error.code})`;
  return `${reason ?? error.message.split("\n")[0] ?? ""}${code}`;
}

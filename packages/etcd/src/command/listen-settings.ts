// Where the flags say to listen, and with which certificates.

import { isIP } from "node:net";
import { join } from "node:path";
import type { ListenOptions, TlsOptions } from "../server/index.ts";
import { FlagError } from "./flag-error.ts";
import type { FlagReader } from "./flag-reader.ts";

/** A certificate that is to be made: for whom, and where it goes. */
export interface AutoTls {
  readonly folder: string;
  readonly hosts: readonly string[];
  readonly years: number;
}

/** Where to listen; http and https at one address are one place that takes both. */
export function clientListeners(
  flags: FlagReader,
  name: string,
  warnings: string[],
): readonly ListenOptions[] {
  const byAddress = new Map<string, ListenOptions>();
  for (const place of clientPlaces(flags, name, warnings)) {
    const key = JSON.stringify({ ...place, tls: undefined });
    const before = byAddress.get(key);
    const tls = before?.tls ?? place.tls;
    const isBoth = before !== undefined && (before.tls === undefined) !== (place.tls === undefined);
    byAddress.set(key, isBoth ? { ...place, tls, plainToo: true } : place);
  }
  return [...byAddress.values()];
}

function clientPlaces(flags: FlagReader, name: string, warnings: string[]): readonly ListenOptions[] {
  const tls = tlsOptions(flags);
  return flags.list(name).map((url) => {
    const isSecure = /^(?:https|unixs):/.test(url);
    if (isSecure && tls === undefined) {
      throw new FlagError(
        `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url} with HTTPS scheme`,
      );
    }
    if (!isSecure && tls !== undefined) {
      warnings.push(
        `scheme is HTTP while key and cert files are presented; ignoring key and cert files (${url})`,
      );
    }
    if (!isSecure && flags.bool("client-cert-auth")) {
      warnings.push(
        `scheme is HTTP while --client-cert-auth is enabled; ignoring client cert auth for this URL (${url})`,
      );
    }
    return { ...boundAddress(url), tls: isSecure ? tls : undefined };
  });
}

export function metricsListeners(flags: FlagReader): readonly ListenOptions[] {
  const tls = tlsOptions(flags);
  return flags.list("listen-metrics-urls").map((url) => {
    const isSecure = /^(?:https|unixs):/.test(url);
    if (isSecure && tls === undefined) {
      throw new FlagError(
        "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url",
      );
    }
    return { ...boundAddress(url), tls: isSecure ? tls : undefined };
  });
}

/** Where a URL says to listen. As etcd, no name but localhost: nobody knows what another one means tomorrow. */
function boundAddress(
  url: string,
): { readonly path: string } | { readonly host: string; readonly port: number } {
  const [, scheme = "", address = ""] = /^([a-z]+):\/\/(.*)$/.exec(url) ?? [];
  if (scheme.startsWith("unix")) return { path: address };
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  if (host !== "localhost" && isIP(host) === 0)
    throw new FlagError(`expected IP in URL for binding (${url})`);
  const port = Number(address.slice(colon + 1));
  if (port > 65_535) throw new FlagError(`there is no port ${port} (${url})`);
  return { host: host === "localhost" ? "127.0.0.1" : host, port };
}

export function dataDirOf(flags: FlagReader): string {
  return flags.text("data-dir") || `${flags.text("name")}.etcd`;
}

/** Where etcd keeps what --auto-tls makes. Certificates that are given count more. */
function autoTlsFolder(flags: FlagReader): string | undefined {
  if (!flags.bool("auto-tls") || flags.text("cert-file") !== "") return undefined;
  return join(dataDirOf(flags), "fixtures/client");
}

/** The certificate that --auto-tls asks for. */
export function autoTls(flags: FlagReader): AutoTls | undefined {
  const folder = autoTlsFolder(flags);
  const urls = [...flags.list("listen-client-urls"), ...flags.list("listen-client-http-urls")];
  const hosts = urls.flatMap((url) => /^https:\/\/\[?([^\]]*?)\]?:\d*$/.exec(url)?.[1] ?? []);
  const years = flags.number("self-signed-cert-validity");
  if (years < 1 || years > 100)
    throw new FlagError("--self-signed-cert-validity is a number of years from 1 to 100");
  return folder === undefined ? undefined : { folder, hosts: [...new Set(hosts)], years };
}

function tlsOptions(flags: FlagReader): TlsOptions | undefined {
  const auto = autoTlsFolder(flags);
  const [certFile, keyFile] =
    auto === undefined
      ? [flags.text("cert-file"), flags.text("key-file")]
      : [join(auto, "cert.pem"), join(auto, "key.pem")];
  if (certFile === "" && keyFile === "") return undefined;
  if (certFile === "" || keyFile === "")
    throw new FlagError("--cert-file and --key-file must both be present or both be absent");
  const [trustedCaFile, crlFile] = [flags.text("trusted-ca-file"), flags.text("client-crl-file")];
  const [allowedHostname, ...others] = flags.list("client-cert-allowed-hostname");
  if (others.length > 0) throw new FlagError("--client-cert-allowed-hostname takes one host name");
  const minVersion = flags.oneOf("tls-min-version", ["TLS1.2", "TLS1.3"]);
  const maxVersion =
    flags.text("tls-max-version") === "" ? undefined : flags.oneOf("tls-max-version", ["TLS1.2", "TLS1.3"]);
  if (minVersion === "TLS1.3" && maxVersion === "TLS1.2") {
    throw new FlagError("min version (TLS1.3) is greater than max version (TLS1.2)");
  }
  const cipherSuites = flags.list("cipher-suites");
  if (minVersion === "TLS1.3" && cipherSuites.length > 0) {
    throw new FlagError("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  return {
    certFile,
    keyFile,
    minVersion,
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(trustedCaFile === "" ? {} : { trustedCaFile }),
    ...(crlFile === "" ? {} : { crlFile }),
    ...(flags.bool("client-cert-auth") ? { clientCertAuth: true } : {}),
    ...(allowedHostname === undefined ? {} : { allowedHostname }),
    ...(cipherSuites.length === 0 ? {} : { cipherSuites }),
  };
}

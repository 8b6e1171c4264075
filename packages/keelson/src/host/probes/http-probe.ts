import { request as overTcp } from "node:http";
import { request as overTls } from "node:https";
import type { ProbeAnswer, ProbeLimits } from "../host.ts";
import { readTarget } from "./address.ts";
import { isRefusal, networkWords, timeWords } from "./network-words.ts";

const maxHeaderBytes = 16 << 10;
const maxBodyBytes = 64 << 10;

interface Url {
  readonly isTls: boolean;
  readonly address: string;
  readonly path: string;
}

/**
 * GET once: any status from 200 to 399 is well. A redirect is such an answer and is not followed. Of the body at most
 * 64 KiB are taken. A certificate is not looked at: the check asks whether the service answers, not who it is.
 * Rejects only with the signal's reason.
 */
export async function probeHttp(url: string, limits: ProbeLimits): Promise<ProbeAnswer> {
  const { timeoutMs, machine, signal } = limits;
  const parts = readUrl(url);
  const target = readTarget(parts.address, machine);
  if (target === undefined) return { ok: false, reason: `GET ${url}: no address` };
  const limit = AbortSignal.timeout(timeoutMs);
  let problem = "";
  for (const host of target.hosts) {
    try {
      const status = await get(parts, { host, port: target.port }, AbortSignal.any([signal, limit]));
      if (status >= 200 && status < 400) return { ok: true };
      problem = String(status);
      break;
    } catch (error) {
      signal.throwIfAborted();
      problem = limit.aborted ? `no answer within ${timeWords(timeoutMs)}` : networkWords(error);
      if (!isRefusal(error)) break;
    }
  }
  return { ok: false, reason: `GET ${url}: ${problem}` };
}

/** `:8080/healthz`, `host:8080`, `https://host:8443/`. */
function readUrl(url: string): Url {
  const match = /^(?:(https?):\/\/)?([^/]*)(\/.*)?$/.exec(url);
  return { isTls: match?.[1] === "https", address: match?.[2] ?? "", path: match?.[3] ?? "/" };
}

function get(
  { isTls, path }: Url,
  to: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "user-agent": "keelson", accept: "*/*", connection: "close" };
    const options = { ...to, path, headers, signal, agent: false, maxHeaderSize: maxHeaderBytes } as const;
    const call = isTls ? overTls({ ...options, rejectUnauthorized: false }) : overTcp(options);
    call.on("error", reject);
    // It was not asked to speak another protocol.
    call.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    call.on("close", () => reject(new Error("the connection was closed")));
    call.on("response", (response) => {
      let bytes = 0;
      const settle = (): void => {
        resolve(response.statusCode ?? 0);
        call.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > maxBodyBytes) settle();
      });
      response.on("end", settle);
      response.on("error", reject);
    });
    call.end();
  });
}

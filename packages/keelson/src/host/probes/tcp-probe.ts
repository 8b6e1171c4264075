import { connect } from "node:net";
import type { ProbeAnswer, ProbeLimits } from "../host.ts";
import { readTarget } from "./address.ts";
import { isRefusal, networkWords, timeWords } from "./network-words.ts";

/** Whether something accepts connections. Nothing is sent. Rejects only with the signal's reason. */
export async function probeTcp(
  address: string,
  { timeoutMs, machine, signal }: ProbeLimits,
): Promise<ProbeAnswer> {
  const target = readTarget(address, machine);
  if (target === undefined) return { ok: false, reason: `TCP ${address}: no address` };
  const limit = AbortSignal.timeout(timeoutMs);
  let problem = "";
  for (const host of target.hosts) {
    try {
      await connectOnce({ host, port: target.port }, AbortSignal.any([signal, limit]));
      return { ok: true };
    } catch (error) {
      signal.throwIfAborted();
      problem = limit.aborted ? `no connection within ${timeWords(timeoutMs)}` : networkWords(error);
      if (!isRefusal(error)) break;
    }
  }
  return { ok: false, reason: `TCP ${address}: ${problem}` };
}

function connectOnce(
  to: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    const settle = (done: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      done();
    };
    const onAbort = (): void => settle(() => reject(signal.reason as Error));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("connect", () => settle(resolve));
    socket.on("error", (error) => settle(() => reject(error)));
  });
}

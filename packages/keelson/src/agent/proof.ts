// Proof that nobody else can act on this machine's silence: the store does not run, or every other member of
// the cluster is as lost. Whoever says nothing proves nothing.
import { get } from "node:http";
import { connect } from "node:net";
import type { Member } from "../model/machine.ts";

/** How long each of the asked has. */
const patienceMs = 700;

export interface ProofSources {
  /** Whether every endpoint of the store resets the connection: it does not run. */
  storeRefuses(signal: AbortSignal): Promise<boolean>;
  /** Whether this member says that it has no contact with the store. */
  memberIsLost(member: Member, signal: AbortSignal): Promise<boolean>;
}

/** In words what is proven as of the moment of the call; undefined when nothing is. */
export async function seekProof(
  sources: ProofSources,
  others: readonly Member[] | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const refusal = sources
    .storeRefuses(signal)
    .then((refuses) => (refuses ? "the store does not run" : undefined));
  const silence = allAreLost(sources, others, signal).then((lost) =>
    lost ? `no other member has contact either (${others?.length} asked)` : undefined,
  );
  // Either will do, and the time is short: the first that proves something counts.
  const first = await Promise.race([refusal, silence]);
  return first ?? (await refusal) ?? (await silence);
}

async function allAreLost(
  sources: ProofSources,
  others: readonly Member[] | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (others === undefined) return false;
  const lost = await Promise.all(others.map((member) => sources.memberIsLost(member, signal)));
  return lost.every((isLost) => isLost);
}

/** Asks over the network. `endpoints` tells the store's as they are now, `http://host:port`. */
export function networkProof(endpoints: () => readonly string[]): ProofSources {
  return {
    async storeRefuses(signal) {
      const answers = await Promise.all(endpoints().map((endpoint) => isRefused(new URL(endpoint), signal)));
      return answers.length > 0 && answers.every((refused) => refused);
    },
    memberIsLost,
  };
}

function isRefused({ hostname, port, protocol }: URL, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80), signal });
    const end = (refused: boolean): void => {
      socket.destroy();
      resolve(refused);
    };
    socket.setTimeout(patienceMs, () => end(false));
    socket.on("connect", () => end(false));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code === "ECONNREFUSED"));
  });
}

function memberIsLost(member: Member, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(
      {
        host: member.address,
        port: member.apiPort,
        path: "/v1/contact",
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          if (chunks.length > 64) request.destroy();
        });
        response.on("error", () => resolve(false));
        response.on("close", () => resolve(saysLost(Buffer.concat(chunks).toString(), member.id)));
      },
    );
    request.on("error", () => resolve(false));
  });
}

/** Reads the answer of `GET /v1/contact`. */
export function saysLost(body: string, machine: string): boolean {
  try {
    const answer = JSON.parse(body) as { machine?: unknown; hasContact?: unknown } | null;
    return answer?.machine === machine && answer.hasContact === false;
  } catch {
    return false;
  }
}

// Why a connection came to nothing, in words.

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name cannot be looked up",
  EPIPE: "the connection was closed",
  HPE_INVALID_CONSTANT: "the answer is not HTTP",
  HPE_INVALID_VERSION: "the answer is not HTTP",
  HPE_HEADER_OVERFLOW: "the answer’s headers are too large",
  EPROTO: "TLS was refused",
};

export function networkWords(error: unknown): string {
  const code = codeOf(error);
  if (code.startsWith("HPE_")) return words[code] ?? "the answer is not HTTP";
  return words[code] ?? (error instanceof Error ? error.message.slice(0, 200) : "the connection failed");
}

export const isRefusal = (error: unknown): boolean => codeOf(error) === "ECONNREFUSED";

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

/** `500 ms`, `5 s`. */
export const timeWords = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`);

export type OmahaErrorCode = "TOO_LARGE" | "NOT_XML" | "NOT_OMAHA" | "UNSUPPORTED_PROTOCOL" | "BAD_VALUE";

/** A document that is no Omaha message, and why. */
export class OmahaError extends Error {
  readonly code: OmahaErrorCode;

  constructor(code: OmahaErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "OmahaError";
    this.code = code;
  }
}

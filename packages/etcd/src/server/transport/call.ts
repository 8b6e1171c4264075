// What a service sees of a request, whatever brought it. Messages out are latin1 strings, messages in are buffers.

/** Who is at the other end of a connection. */
export interface Peer {
  /** "address:port" */
  readonly address: string;
  /** Common name of the client's certificate, where TLS has verified one. */
  readonly commonName: string | undefined;
}

/** What came with a request. */
export interface Call {
  /** Metadata: lower-case names. */
  readonly metadata: Readonly<Record<string, string | string[] | undefined>>;
  readonly peer: Peer;
}

/** A call with many answers. */
export interface StreamCall extends Call {
  /** The client reads more slowly than it is sent to; `drained` tells when that is over. */
  readonly isBehind: boolean;
  send(message: string): void;
  /** Ends the call; with an error as its status. */
  end(error?: unknown): void;
}

/** Takes what a client sends on a call with many requests. An exception ends the call with it. */
export interface StreamHandler {
  message(bytes: Buffer): void;
  /** The client will send nothing more. */
  halfClosed(): void;
  drained(): void;
  /** The call is over, for whatever reason. */
  closed(): void;
}

export type Method =
  | { readonly kind: "unary"; readonly handle: (request: Buffer, call: Call) => string | Promise<string> }
  /** One answer that may be long in coming. `gone` fires when nobody waits for it any more. */
  | {
      readonly kind: "waiting";
      readonly handle: (request: Buffer, call: Call, gone: AbortSignal) => Promise<string>;
    }
  | { readonly kind: "stream"; readonly open: (call: StreamCall) => StreamHandler };

/** Methods by the full name of their service, then by their own. */
export type ServiceTable = ReadonlyMap<string, Readonly<Record<string, Method>>>;

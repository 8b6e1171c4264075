// Hold on the TCP connections that grpc-js opens. grpc-js ends a connection politely, by sending and waiting;
// when packets are dropped without a word, that takes the kernel's quarter of an hour. The connector is the
// one place where grpc-js shows its socket, so the socket is remembered there, and cut when it must go.
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { ChannelCredentials } from "@grpc/grpc-js";
import { EtcdError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { secured } from "./tls.ts";
import type { TlsSettings } from "./tls.ts";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/** Credentials for exactly one connection, plain or with TLS, which can be measured and cut. */
export class Wire extends ChannelCredentials {
  readonly #plain = ChannelCredentials.createInsecure();
  readonly #endpoint: Endpoint;
  readonly #tls: TlsSettings | undefined;
  readonly #onClose: () => void;
  #socket: Socket | undefined;
  #failure: Error | undefined;
  #cut = false;

  /** `onClose` is called when the connection is gone for whatever reason, maybe more than once. */
  constructor(endpoint: Endpoint, tls: TlsSettings | undefined, onClose: () => void) {
    super();
    this.#endpoint = endpoint;
    this.#tls = tls;
    this.#onClose = onClose;
  }

  /** What the connection failed with, if it is known. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Bytes received so far. As long as it grows, the other side lives. */
  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  /** Ends the connection at once, whatever is still in flight. */
  cut(): void {
    this.#cut = true;
    this.#socket?.destroy();
  }

  override _isSecure(): boolean {
    return this.#tls !== undefined;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    ...given: Parameters<ChannelCredentials["_createSecureConnector"]>
  ): SecureConnector {
    const plain = this.#plain._createSecureConnector(...given);
    return {
      connect: (socket) => {
        if (this.#cut || this.#socket !== undefined)
          return Promise.reject(new Error("the connection was given up"));
        this.#socket = socket;
        socket.once("close", this.#onClose);
        return this.#tls === undefined ? plain.connect(socket) : this.#secure(socket, this.#tls);
      },
      waitForReady: () => plain.waitForReady(),
      getCallCredentials: () => plain.getCallCredentials(),
      destroy: () => {
        plain.destroy();
        this.cut();
      },
    };
  }

  async #secure(socket: Socket, tls: TlsSettings): Promise<{ socket: Socket; secure: true }> {
    const secure = await secured(socket, this.#endpoint, tls);
    // With TLS 1.3 a server refuses a client's certificate only after the client takes the connection for open;
    // what lies below is then not always closed.
    secure.once("error", (error) => {
      this.#failure = error;
      this.cut();
      this.#onClose();
    });
    secure.once("close", this.#onClose);
    return { socket: secure, secure: true };
  }
}

/**
 * Finds out whether an endpoint accepts connections, and at which IP address. grpc-js cannot give up a TCP
 * connection that is being opened, and the kernel repeats a lost first packet at ever longer intervals; so
 * nothing is left to grpc-js that was not accepted a moment ago. With TLS it is seen through as well: grpc-js
 * would try for ever, and could not say what the other side's certificate lacks. `accepted` is called when the
 * connection is open and TLS begins.
 * @throws EtcdError REFUSED, UNAVAILABLE (no such host, no route, no TLS); ABORTED when the signal fires
 */
export async function dial(
  endpoint: Endpoint,
  { tls, accepted }: { readonly tls: TlsSettings | undefined; readonly accepted?: (() => void) | undefined },
  signal: AbortSignal,
): Promise<string> {
  const giveUp = () => new EtcdError("ABORTED", `connecting to ${endpoint.name} was given up`);
  if (signal.aborted) throw giveUp();
  const socket = connectTcp({ host: endpoint.host, port: endpoint.port });
  const cut = () => socket.destroy(giveUp());
  signal.addEventListener("abort", cut, { once: true });
  try {
    await connected(socket, endpoint);
    accepted?.();
    const { remoteAddress, remoteFamily } = socket;
    if (remoteAddress === undefined) {
      throw new EtcdError("UNAVAILABLE", `${endpoint.name} closed the connection at once`);
    }
    if (tls !== undefined) await seenThrough(socket, endpoint, tls);
    const [family, host] = remoteFamily === "IPv6" ? ["ipv6", `[${remoteAddress}]`] : ["ipv4", remoteAddress];
    return `${family}:${host}:${endpoint.port}`;
  } catch (error) {
    throw signal.aborted ? giveUp() : error;
  } finally {
    signal.removeEventListener("abort", cut);
    socket.destroy();
  }
}

function connected(socket: Socket, endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const refused = error.code === "ECONNREFUSED";
      const why = refused ? "refused the connection" : `cannot be reached (${error.code ?? error.message})`;
      reject(new EtcdError(refused ? "REFUSED" : "UNAVAILABLE", `${endpoint.name} ${why}`, { cause: error }));
    });
  });
}

async function seenThrough(socket: Socket, endpoint: Endpoint, tls: TlsSettings): Promise<void> {
  const secure = await secured(socket, endpoint, tls);
  secure.on("error", () => {});
  secure.end();
}

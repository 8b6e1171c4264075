// Hold on the TCP connections that grpc-js opens. grpc-js ends a connection politely, by sending and waiting;
// when packets are dropped without a word, that takes the kernel's quarter of an hour. The connector is the
// one place where grpc-js shows its socket, so the socket is remembered there, and cut when it must go.
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { ChannelCredentials } from "@grpc/grpc-js";
import { EtcdError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/** Credentials for exactly one plain connection, which can be measured and cut. */
export class Wire extends ChannelCredentials {
  readonly #plain = ChannelCredentials.createInsecure();
  readonly #onClose: () => void;
  #socket: Socket | undefined;
  #cut = false;

  /** `onClose` is called once, when the connection is gone for whatever reason. */
  constructor(onClose: () => void) {
    super();
    this.#onClose = onClose;
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
    return false;
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
        return plain.connect(socket);
      },
      waitForReady: () => plain.waitForReady(),
      getCallCredentials: () => plain.getCallCredentials(),
      destroy: () => {
        plain.destroy();
        this.cut();
      },
    };
  }
}

/**
 * Finds out whether an endpoint accepts connections, and at which IP address. grpc-js cannot give up a TCP
 * connection that is being opened, and the kernel repeats a lost first packet at ever longer intervals; so
 * nothing is left to grpc-js that was not accepted a moment ago.
 * @throws EtcdError REFUSED, UNAVAILABLE (no such host, no route); ABORTED when the signal fires
 */
export function dial(endpoint: Endpoint, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new EtcdError("ABORTED", `connecting to ${endpoint.name} was given up`));
      return;
    }
    const socket = connectTcp({ host: endpoint.host, port: endpoint.port });
    const giveUp = () => {
      socket.destroy();
      reject(new EtcdError("ABORTED", `connecting to ${endpoint.name} was given up`));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("connect", () => {
      const { remoteAddress, remoteFamily } = socket;
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      if (remoteAddress === undefined) {
        reject(new EtcdError("UNAVAILABLE", `${endpoint.name} closed the connection at once`));
      } else {
        const host = remoteFamily === "IPv6" ? `[${remoteAddress}]` : remoteAddress;
        resolve(`${remoteFamily === "IPv6" ? "ipv6" : "ipv4"}:${host}:${endpoint.port}`);
      }
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      signal.removeEventListener("abort", giveUp);
      const refused = error.code === "ECONNREFUSED";
      const why = refused ? "refused the connection" : `cannot be reached (${error.code ?? error.message})`;
      reject(new EtcdError(refused ? "REFUSED" : "UNAVAILABLE", `${endpoint.name} ${why}`, { cause: error }));
    });
  });
}

// Speaks the keys API and hides nothing: status, headers and body as they came.
import { Agent, request, type IncomingMessage } from "node:http";

export interface V2Call {
  readonly method: string;
  /** Below the host, as it is to stand in the request line. */
  readonly path: string;
  readonly form?: string;
  /** "user:password" */
  readonly user?: string;
}

export interface V2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export class V2Client implements Disposable {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #host: string;
  readonly #port: number;

  /** `address`: "host:port" */
  constructor(address: string) {
    const [host = "", port = ""] = address.split(":");
    this.#host = host;
    this.#port = Number(port);
  }

  async call(call: V2Call): Promise<V2Answer> {
    const response = await this.open(call);
    let body = "";
    for await (const chunk of response) body += String(chunk);
    return answerOf(response, body);
  }

  /** Resolves with the head of the answer. With a signal it has a connection of its own. */
  open({ method, path, form, user }: V2Call, signal?: AbortSignal): Promise<IncomingMessage> {
    const headers = {
      ...(form === undefined ? {} : { "Content-Type": "application/x-www-form-urlencoded" }),
      ...(user === undefined ? {} : { Authorization: `Basic ${Buffer.from(user).toString("base64")}` }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent: signal === undefined ? this.#agent : new Agent(),
          host: this.#host,
          port: this.#port,
          method,
          path,
          headers,
          ...(signal === undefined ? {} : { signal }),
        },
        resolve,
      );
      sent.on("error", reject);
      sent.end(form);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function answerOf(response: IncomingMessage, body: string): V2Answer {
  const { statusCode = 0, headers } = response;
  const one = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(",") : value;
  };
  const names = ["content-type", "x-etcd-index", "allow", "location"];
  return { status: statusCode, headers: Object.fromEntries(names.map((name) => [name, one(name)])), body };
}

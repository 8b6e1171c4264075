// What requests and responses have in common when they are read: bytes or text in, a root element of the right
// name and a protocol of ours out.
import { OmahaError, positionAt, quoted } from "./error.ts";
import type { MessageLimits } from "./limits.ts";
import { children, valueOf } from "./xml/element.ts";
import type { Element } from "./xml/element.ts";
import { decodeUtf8 } from "./xml/decode.ts";
import { checkLength, scan } from "./xml/scan.ts";

export interface Message {
  readonly root: Element;
  readonly apps: readonly Element[];
  /** The document, for positions. */
  readonly text: string;
}

/** Throws OmahaError of any code but `BAD_VALUE`. */
export function readMessage(
  source: string | Uint8Array,
  name: "request" | "response",
  limits: MessageLimits,
): Message {
  checkLength(source, limits);
  const text = typeof source === "string" ? source : decodeUtf8(source);
  const root = scan(text, limits);
  const at = () => ({ position: positionAt(text, root.offset) });
  if (root.name !== name)
    throw new OmahaError("NOT_OMAHA", `the document is a <${root.name}>, not a <${name}>`, at());
  const protocol = valueOf(root, "protocol");
  if (protocol === undefined || !/^3\.[01]$/.test(protocol))
    throw new OmahaError(
      "UNSUPPORTED_PROTOCOL",
      protocol === undefined ? "no protocol is named" : `protocol ${quoted(protocol)}, not 3.0 or 3.1`,
      at(),
    );
  const apps = children(root, "app");
  if (apps.length > limits.apps)
    throw new OmahaError("TOO_LARGE", `${apps.length} applications, more than ${limits.apps}`, at());
  return { root, apps, text };
}

/** The `<event>`s of an `<app>`. Throws `TOO_LARGE`. */
export function eventsOf(app: Element, text: string, limits: MessageLimits): readonly Element[] {
  const events = children(app, "event");
  if (events.length > limits.events)
    throw new OmahaError("TOO_LARGE", `${events.length} events, more than ${limits.events}`, {
      position: positionAt(text, app.offset),
    });
  return events;
}

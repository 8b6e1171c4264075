// How large a message may be.
import type { XmlLimits } from "./xml/element.ts";

export interface MessageLimits extends XmlLimits {
  /** Applications of one message. */
  readonly apps: number;
  /** Events of one application. */
  readonly events: number;
}

/** A request of update_engine has 740 bytes, 6 elements and at most 14 attributes on one. */
export const requestLimits: MessageLimits = {
  bytes: 64 * 1024,
  depth: 8,
  elements: 1024,
  attributes: 64,
  apps: 64,
  events: 256,
};

/** A response may list many files, several manifests and long URLs. */
export const responseLimits: MessageLimits = {
  bytes: 256 * 1024,
  depth: 12,
  elements: 4096,
  attributes: 64,
  apps: 64,
  events: 256,
};

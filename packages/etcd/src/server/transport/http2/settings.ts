import {
  ConnectionError,
  ERROR,
  MOST_FRAME_BYTES,
  MOST_WINDOW,
  DEFAULT_FRAME_BYTES,
  SETTING,
} from "./protocol.ts";

const ENTRY_BYTES = 6;

/** What a client has said of itself. */
export interface PeerSettings {
  readonly headerTableSize?: number;
  readonly initialWindowSize?: number;
  readonly maxFrameSize?: number;
}

/** The payload of a SETTINGS frame (RFC 9113, 6.5). What a server has no use for is checked and left out. */
export function readSettings(payload: Buffer): PeerSettings {
  if (payload.length % ENTRY_BYTES !== 0)
    throw new ConnectionError(ERROR.frameSize, "settings are cut short");
  const settings: { -readonly [K in keyof PeerSettings]: PeerSettings[K] } = {};
  for (let at = 0; at < payload.length; at += ENTRY_BYTES) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case SETTING.headerTableSize:
        settings.headerTableSize = value;
        break;
      case SETTING.enablePush:
        if (value > 1) throw new ConnectionError(ERROR.protocol, "ENABLE_PUSH is neither 0 nor 1");
        break;
      case SETTING.initialWindowSize:
        if (value > MOST_WINDOW)
          throw new ConnectionError(ERROR.flowControl, "INITIAL_WINDOW_SIZE is too large");
        settings.initialWindowSize = value;
        break;
      case SETTING.maxFrameSize:
        if (value < DEFAULT_FRAME_BYTES || value > MOST_FRAME_BYTES) {
          throw new ConnectionError(ERROR.protocol, "MAX_FRAME_SIZE is out of range");
        }
        settings.maxFrameSize = value;
        break;
    }
  }
  return settings;
}

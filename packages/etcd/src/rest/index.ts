// The REST keys API of etcd v2, over the keys of v3.
export { ClientKeysStore } from "./client-keys-store.ts";
export { KeysHandler, refuse } from "./handler.ts";
export type { KeysHandlerOptions, KeysLimits } from "./handler.ts";
export { Keys } from "./keys.ts";
export type { KeysAnswer, KeysOptions } from "./keys.ts";
export type { KeysStore } from "./keys-store.ts";
export type { KeysEvent, KeysNode } from "./node.ts";
export { goJson, KeysRefusal } from "./refusal.ts";
export { toText } from "./paths.ts";
export { MOST_PARTS, MOST_PATH_BYTES, readRequest } from "./request.ts";
export type { KeysMethod, KeysRequest } from "./request.ts";

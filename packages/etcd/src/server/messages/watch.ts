import type { WireReader } from "../../keyspace/wire.ts";

/** etcdserverpb.WatchCreateRequest. */
export interface WatchCreateRequest {
  readonly key: string;
  readonly rangeEnd: string;
  readonly startRevision: number;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  /** 0: the server chooses. */
  readonly watchId: number;
  readonly fragment: boolean;
}

export type WatchRequest =
  | { readonly kind: "create"; readonly request: WatchCreateRequest }
  | { readonly kind: "cancel"; readonly watchId: number }
  | { readonly kind: "progress" }
  | { readonly kind: "none" };

export function readWatchRequest(reader: WireReader): WatchRequest {
  let request: WatchRequest = { kind: "none" };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = { kind: "create", request: reader.message(readCreate) };
    else if (field === 2) request = { kind: "cancel", watchId: reader.message(readId) };
    else if (field === 3) request = reader.message(readNothing);
    else reader.skip();
  }
  return request;
}

function readCreate(reader: WireReader): WatchCreateRequest {
  const request = {
    key: "",
    rangeEnd: "",
    startRevision: 0,
    progressNotify: false,
    noPut: false,
    noDelete: false,
    prevKv: false,
    watchId: 0,
    fragment: false,
  };
  const filter = (type: number): void => {
    if (type === 0) request.noPut = true;
    if (type === 1) request.noDelete = true;
  };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request.key = reader.bytes();
    else if (field === 2) request.rangeEnd = reader.bytes();
    else if (field === 3) request.startRevision = reader.int();
    else if (field === 4) request.progressNotify = reader.bool();
    else if (field === 5) reader.ints(filter);
    else if (field === 6) request.prevKv = reader.bool();
    else if (field === 7) request.watchId = reader.int();
    else if (field === 8) request.fragment = reader.bool();
    else reader.skip();
  }
  return request;
}

function readId(reader: WireReader): number {
  let id = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.int();
    else reader.skip();
  }
  return id;
}

function readNothing(reader: WireReader): WatchRequest {
  while (reader.next() !== 0) reader.skip();
  return { kind: "progress" };
}

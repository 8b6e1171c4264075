// Where a release's files come from. Nothing that a source says is believed: manifests are signed, and files are
// compared with them.

export interface ReleaseSource {
  /** For messages and records: without anything secret. */
  readonly place: string;
  /** Its files can be opened again at no cost, so nothing of them is kept. */
  readonly isLocal: boolean;
  /** A small file; undefined when there is none. Throws KEEL-806, and KEEL-807 when it is larger. */
  document(name: string, limit: number, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** Names of what is there; undefined where nothing lists them. */
  list(signal?: AbortSignal): Promise<readonly string[] | undefined>;
  /** Opens a file at an offset. Throws KEEL-806 with details `{ "permanent": true }` when trying again is no use. */
  open(name: string, offset: number, signal?: AbortSignal): Promise<OpenedFile>;
}

export interface OpenedFile {
  /** Where the bytes begin: what was asked for, or 0 from a server that cannot begin in the middle. */
  readonly offset: number;
  /** Of the whole file, where the source says it. */
  readonly size?: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

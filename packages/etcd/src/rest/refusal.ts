/**
 * The errors of the keys API: number, words and HTTP status. Source: etcd 3.4's documentation of the v2 API
 * ("Error Code"), and observed on etcd 3.4.
 */
export const KEYS_ERRORS = {
  keyNotFound: [100, "Key not found", 404],
  compareFailed: [101, "Compare failed", 412],
  notFile: [102, "Not a file", 403],
  notDirectory: [104, "Not a directory", 400],
  nodeExists: [105, "Key already exists", 412],
  rootReadOnly: [107, "Root is read only", 400],
  directoryNotEmpty: [108, "Directory not empty", 403],
  unauthorized: [110, "The request requires user authentication", 401],
  previousValueRequired: [201, "PrevValue is Required in POST form", 400],
  ttlNotNumber: [202, "The given TTL in POST form is not a number", 400],
  indexNotNumber: [203, "The given index in POST form is not a number", 400],
  invalidField: [209, "Invalid field", 400],
  invalidForm: [210, "Invalid POST form", 400],
  valueOnRefresh: [211, "Value provided on refresh", 400],
  ttlRequired: [212, "A TTL must be provided on refresh", 400],
  internal: [300, "Raft Internal Error", 500],
  election: [301, "During Leader Election", 500],
  watcherCleared: [400, "watcher is cleared due to etcd recovery", 400],
  indexCleared: [401, "The event in requested index is outdated and cleared", 400],
} as const satisfies Record<string, readonly [number: number, message: string, status: number]>;

export type KeysErrorName = keyof typeof KEYS_ERRORS;

/** A request was refused: what the answer's body and status say. */
export class KeysRefusal extends Error {
  override readonly name = "KeysRefusal";
  readonly refused: KeysErrorName;
  readonly reason: string;
  /** The store's index when it refused; 0 when it was not asked. */
  readonly index: number;

  constructor(refused: KeysErrorName, reason: string, index = 0) {
    super(KEYS_ERRORS[refused][1]);
    this.refused = refused;
    this.reason = reason;
    this.index = index;
  }

  get status(): number {
    return KEYS_ERRORS[this.refused][2];
  }

  /** The body as etcd has it. */
  get body(): string {
    const [errorCode, message] = KEYS_ERRORS[this.refused];
    const cause = this.reason === "" ? {} : { cause: this.reason };
    return goJson({ errorCode, message, ...cause, index: this.index });
  }
}

const asGoHasIt: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
  "\\b": "\\u0008",
  "\\f": "\\u000c",
};

/** JSON with the escapes and the line's end that Go's encoder writes. */
export function goJson(value: unknown): string {
  const text = JSON.stringify(value);
  return `${text.replace(/\\.|[<>&\u2028\u2029]/g, (found) => asGoHasIt[found] ?? found)}\n`;
}

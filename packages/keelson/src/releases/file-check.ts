// A file of a release while it arrives: no byte more than was signed, and in the end the bytes that were signed.
import { createHash } from "node:crypto";
import { refuse } from "./refusal.ts";

export interface FileCheck {
  /** Bytes that came so far. */
  readonly received: number;
  /** To be called before the chunk is written anywhere. Throws KEEL-836 when it would be more than was signed. */
  add(chunk: Uint8Array): void;
  /** Throws KEEL-828 when bytes are missing or other ones came. */
  finish(): void;
}

export function checkFile(file: {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}): FileCheck {
  const hash = createHash("sha256");
  let received = 0;
  return {
    get received() {
      return received;
    },
    add(chunk) {
      if (received + chunk.byteLength > file.size)
        refuse("KEEL-836", `${file.name} goes on after the ${file.size} bytes that were signed`);
      received += chunk.byteLength;
      hash.update(chunk);
    },
    finish() {
      if (received !== file.size)
        refuse("KEEL-828", `${file.name} ends after ${received} bytes, the manifest says ${file.size}`);
      if (hash.digest("hex") !== file.sha256)
        refuse("KEEL-828", `${file.name} holds other bytes than the manifest says`);
    },
  };
}

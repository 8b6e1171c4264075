// HPACK's Huffman code (RFC 7541, appendix B). It is canonical: codes of one length follow each other in the order
// of their symbols, and shorter ones come first; so the lengths say everything.

import { ConnectionError, ERROR } from "../protocol.ts";

const END_OF_STRING = 256;

/** Symbols by the length of their code; [from, to] is a run. */
const SYMBOLS: Readonly<Record<number, readonly (number | string | readonly [number, number])[]>> = {
  5: ["012aceiost"],
  6: [" %-./3456789=A_bdfghlmnpru"],
  7: [":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  8: ["&*,;XZ"],
  10: ['!"()?'],
  11: ["'+|"],
  12: ["#>"],
  13: [0, "$@[]~"],
  14: ["^}"],
  15: ["<`{"],
  19: ["\\", 195, 208],
  20: [128, 130, 131, 162, 184, 194, 224, 226],
  21: [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230],
  22: [
    129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190,
    196, 198, 228, 232, 233,
  ],
  23: [
    1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175,
    180, 182, 183, 188, 191, 197, 231, 239,
  ],
  24: [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237],
  25: [199, 207, 234, 235],
  26: [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255],
  27: [203, 204, 211, 212, 214, 221, 222, 223, 241, [244, 248], [250, 254]],
  28: [[2, 8], [11, 12], [14, 21], [23, 31], 127, 220, 249],
  30: [10, 13, 22, END_OF_STRING],
};

/** Symbol of each code, -1 - symbol at a leaf; otherwise the place of the next two branches. */
const TREE: Int16Array = growTree();

/** The text of a coded string. Throws ConnectionError for what is no code. */
export function huffmanText(bytes: Buffer, start: number, end: number): string {
  let text = "";
  let node = 0;
  // Bits since the last symbol, and whether all were ones: only such may be left over at the end (5.2).
  let bits = 0;
  let isPadding = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >> shift) & 1;
      bits++;
      if (bit === 0) isPadding = false;
      node = TREE[node + bit] as number;
      if (node >= 0) continue;
      const symbol = -1 - node;
      if (symbol === END_OF_STRING)
        throw new ConnectionError(ERROR.compression, "the end-of-string symbol is coded");
      text += String.fromCharCode(symbol);
      node = 0;
      bits = 0;
      isPadding = true;
    }
  }
  if (bits > 7 || !isPadding)
    throw new ConnectionError(ERROR.compression, "a coded string is padded wrongly");
  return text;
}

/** Length and bits of each symbol's code. */
export function huffmanCodes(): readonly {
  readonly symbol: number;
  readonly length: number;
  readonly code: number;
}[] {
  const codes: { symbol: number; length: number; code: number }[] = [];
  let code = 0;
  let before = 0;
  for (const [key, symbols] of Object.entries(SYMBOLS)) {
    const length = Number(key);
    code *= 2 ** (length - before);
    before = length;
    for (const symbol of symbols.flatMap(expand)) codes.push({ symbol, length, code: code++ });
  }
  return codes;
}

function expand(symbols: number | string | readonly [number, number]): number[] {
  if (typeof symbols === "number") return [symbols];
  if (typeof symbols === "string") return [...Buffer.from(symbols, "latin1")];
  const [from, to] = symbols;
  return Array.from({ length: to - from + 1 }, (_, place) => from + place);
}

function growTree(): Int16Array {
  const tree: number[] = [0, 0];
  for (const { symbol, length, code } of huffmanCodes()) {
    let node = 0;
    for (let shift = length - 1; shift > 0; shift--) {
      const branch = node + ((code >>> shift) & 1);
      if (tree[branch] === 0) {
        tree[branch] = tree.length;
        tree.push(0, 0);
      }
      node = tree[branch] as number;
    }
    tree[node + (code & 1)] = -1 - symbol;
  }
  return Int16Array.from(tree);
}

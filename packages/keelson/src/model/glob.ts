// Patterns over unit names, as fleet took them (Go's path.Match): * ? [a-z] [^a-z] and \ before a character.
// The matcher goes back to the last star only, so that no pattern takes more than length × length steps.

export interface Glob {
  readonly pattern: string;
  /** The one name that it matches, for a pattern without any of * ? [ \ . */
  readonly literal: string | undefined;
  matches(name: string): boolean;
}

type Token =
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "character"; readonly character: string }
  | {
      readonly kind: "class";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [from: string, to: string])[];
    };

/** Whether the text has a character that makes it a pattern. */
export const isPattern = (text: string): boolean => /[*?[\\]/.test(text);

/** Reads a pattern; `undefined` when it is malformed: empty, an open bracket, a backslash at the end. */
export function parseGlob(pattern: string): Glob | undefined {
  if (pattern === "") return undefined;
  if (!isPattern(pattern)) return { pattern, literal: pattern, matches: (name) => name === pattern };
  const tokens = readTokens(pattern);
  return tokens && { pattern, literal: undefined, matches: (name) => matchTokens(tokens, name) };
}

function readTokens(pattern: string): Token[] | undefined {
  const tokens: Token[] = [];
  let at = 0;
  while (at < pattern.length) {
    const character = pattern.charAt(at);
    if (character === "[") {
      const read = readClass(pattern, at + 1);
      if (read === undefined) return undefined;
      tokens.push(read.token);
      at = read.next;
      continue;
    }
    if (character === "\\") {
      at += 1;
      if (at >= pattern.length) return undefined;
      tokens.push({ kind: "character", character: pattern.charAt(at) });
    } else if (character === "*") {
      tokens.push({ kind: "star" });
    } else {
      tokens.push(character === "?" ? { kind: "any" } : { kind: "character", character });
    }
    at += 1;
  }
  return tokens;
}

function readClass(pattern: string, start: number): { token: Token; next: number } | undefined {
  const ranges: [string, string][] = [];
  const negated = pattern[start] === "^";
  let at = negated ? start + 1 : start;
  const next = (): string | undefined => {
    if (pattern[at] === "-" || pattern[at] === "]") return undefined;
    if (pattern[at] === "\\") at += 1;
    return pattern[at++];
  };
  while (pattern[at] !== "]" || ranges.length === 0) {
    const from = next();
    if (from === undefined) return undefined;
    let to: string | undefined = from;
    if (pattern[at] === "-") {
      at += 1;
      to = next();
    }
    if (to === undefined) return undefined;
    ranges.push([from, to]);
  }
  return { token: { kind: "class", negated, ranges }, next: at + 1 };
}

function matchTokens(tokens: readonly Token[], name: string): boolean {
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const current = tokens[token];
    if (current?.kind === "star") {
      star = token;
      starAt = at;
      token += 1;
    } else if (current !== undefined && matchesOne(current, name.charAt(at))) {
      token += 1;
      at += 1;
    } else if (star >= 0) {
      starAt += 1;
      at = starAt;
      token = star + 1;
    } else {
      return false;
    }
  }
  while (tokens[token]?.kind === "star") token += 1;
  return token === tokens.length;
}

function matchesOne(token: Token, character: string): boolean {
  switch (token.kind) {
    case "star":
    case "any":
      return true;
    case "character":
      return token.character === character;
    case "class":
      return token.ranges.some(([from, to]) => from <= character && character <= to) !== token.negated;
  }
}

// The options that every command has may also stand before its name.

const valued = new Set(["--cluster", "-o", "--output"]);

/** `keel --cluster x CMD …` means `keel CMD --cluster x …`. */
export function moveLeadingOptions(argv: readonly string[]): readonly string[] {
  const leading: string[] = [];
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (valued.has(word) && i + 1 < argv.length) leading.push(word, argv[++i] ?? "");
    else if (/^(--cluster=|--output=|-o[a-z])/.test(word)) leading.push(word);
    else break;
  }
  const [name, ...rest] = argv.slice(i);
  return name === undefined ? [] : [name, ...leading, ...rest];
}

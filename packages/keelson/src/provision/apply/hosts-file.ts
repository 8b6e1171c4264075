const begin = "# Written by first-boot configuration.";
const end = "# End of what first-boot configuration wrote.";

/** /etc/hosts with the machine's own name between two marks, or without it. Everything else is left as it is. */
export function hostsWith(text: string, name: string | undefined): string {
  const lines = text.split("\n");
  const from = lines.indexOf(begin);
  const to = lines.indexOf(end, from);
  const rest = from >= 0 && to > from ? [...lines.slice(0, from), ...lines.slice(to + 1)] : lines;
  if (name === undefined) return rest.join("\n");
  const [short = name] = name.split(".", 1);
  const names = short === name ? name : `${name} ${short}`;
  // Debian's address for a machine that is not to be found under 127.0.0.1 alone.
  const own = [begin, `127.0.1.1 ${names}`, end];
  const before = rest.at(-1) === "" ? rest.slice(0, -1) : rest;
  return [...before, ...own, ""].join("\n");
}

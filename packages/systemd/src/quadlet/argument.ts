// Values that podman's generator puts on a command line of systemd's: there % begins a specifier and $ a variable.
import { quoteWord } from "../unit-file/words.ts";

/** A word for a list of words (Exec=, Environment=, Label=), quoted when it needs to be; nothing in it is expanded. */
export function quoteArgument(word: string): string {
  const text = literalArgument(word);
  const quoted = quoteWord(text);
  // Bare, a semicolon would begin another command, and a number sign a comment.
  return quoted === text && (/^#|;/.test(text) || text === "") ? `"${text}"` : quoted;
}

/** A value that is one argument as a whole (HealthCmd=): nothing in it is expanded. */
export function literalArgument(text: string): string {
  return text.replaceAll("%", "%%").replaceAll("$", "$$$$");
}

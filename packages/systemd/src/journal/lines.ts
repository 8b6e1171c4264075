/**
 * Splits a stream of bytes into lines, without their ends. A line of more than `limit` bytes is left out, and
 * `onTooLong` is told its length. What stands behind the last line end is left out too: its writer was cut short.
 */
export async function* boundedLines(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
  onTooLong: (bytes: number) => void,
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const add = (part: Uint8Array): void => {
    size += part.length;
    if (size <= limit) parts.push(part);
    else parts = [];
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      if (size <= limit) yield Buffer.concat(parts).toString();
      else onTooLong(size);
      parts = [];
      size = 0;
    }
    if (start < chunk.length) add(chunk.subarray(start));
  }
}

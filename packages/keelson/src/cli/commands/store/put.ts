import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { Option } from "commander";
import { describeError, KeelError } from "../../../base/errors.ts";
import { mostValueBytes } from "../../../model/stored-key.ts";
import type { Register } from "../../invocation.ts";
import { openKeys, spanOf, withKeyOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";
import { keyText } from "./value-text.ts";
import { wholeNumber } from "./whole-number.ts";

interface Options extends KeyOptions {
  readonly file?: string;
  readonly ifRevision?: string;
  readonly force?: boolean;
}

export const registerPut: Register = (group, act) => {
  const put = group
    .command("put")
    .argument("<key>", "the key")
    .argument("[value]", "the value; standard input if neither it nor --file is given")
    .addOption(new Option("--file <file>", "take the value from a file, byte for byte"))
    .addOption(
      new Option(
        "--if-revision <number>",
        "only if the key was not written after this revision; 0: if it is absent",
      ),
    )
    .addOption(new Option("--force", "also below /keelson/, where Keelson keeps its own records"))
    .description("Write a key.");
  act<Options>(withKeyOptions(put), async (keel, [word = "", value], options) => {
    const span = spanOf(word, options);
    const unchangedSince = wholeNumber(options.ifRevision, "--if-revision", { least: 0 });
    const bytes = await valueOf(value, options.file, keel.terminal.cwd);
    await using opened = await openKeys(keel, options);
    const { revision } = await opened.keys.put({ span, unchangedSince, force: options.force }, bytes);
    const name = keyText(span.start);
    keel.output.document({ key: name, revision }, () => `${name} written at revision ${revision}\n`);
  });
};

async function valueOf(
  value: string | undefined,
  file: string | undefined,
  cwd: string,
): Promise<Uint8Array> {
  if (value !== undefined && file !== undefined) {
    throw new KeelError("KEEL-104", "the value is given twice: as an argument and with --file");
  }
  if (value !== undefined) return Buffer.from(value);
  if (file === undefined) return await wholeOf(process.stdin as AsyncIterable<Buffer>);
  try {
    await using handle = await open(resolve(cwd, file));
    return await wholeOf(handle.createReadStream({ autoClose: false }));
  } catch (cause) {
    if (cause instanceof KeelError) throw cause;
    throw new KeelError("KEEL-104", `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** Everything that comes, as long as it can be a value. */
async function wholeOf(stream: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > mostValueBytes)
      throw new KeelError("KEEL-605", `a value has at most ${mostValueBytes} bytes`);
  }
  return Buffer.concat(chunks);
}

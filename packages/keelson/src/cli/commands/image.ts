import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { KeelError } from "../../base/errors.ts";
import type { ImageView } from "../../api/wire/image.ts";
import { formatBytes } from "../../local/progress.ts";
import { formatAge } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { byPrefix } from "../prefix.ts";
import { chooseColumns, renderTable, shortHash } from "../table.ts";
import type { Column } from "../table.ts";

const columns = (now: number): readonly Column<ImageView>[] => [
  { name: "image", cell: (image) => image.name },
  { name: "id", cell: (image, look) => shortHash(image.imageId, look) },
  { name: "size", cell: (image) => formatBytes(image.bytes) },
  { name: "loaded", cell: (image) => formatAge(image.loaded, now) },
  { name: "holders", cell: (image) => image.holders.join(",") },
  { name: "archive", cell: (image, look) => shortHash(image.archive, look) },
];

export const register: Register = (program, act) => {
  const group = program
    .command("image")
    .description("Image archives that the cluster itself hands to its machines, without a registry.");
  const load = group
    .command("load")
    .argument("<file>", "an archive as podman save or docker save writes it")
    .description("Load an image archive into the cluster. Machines fetch it when a unit needs it.");
  act(load, async (keel, [file = ""]) => {
    const image = await loadImage(keel, resolve(keel.terminal.cwd, file));
    keel.output.document(
      { image },
      () => `${image.name}  ${formatBytes(image.bytes)}  ${image.imageId.slice(0, 12)}\n`,
    );
  });

  const list = group.command("ls").alias("list").description("List the cluster’s image archives.");
  withList(
    list,
    columns(0).map((column) => column.name),
  );
  act<ListOptions>(list, async (keel, _args, options) => {
    const images = await (await keel.daemon()).images.list();
    const chosen = chooseColumns(columns(keel.clock.wall()), fieldList(options), [
      "image",
      "id",
      "size",
      "loaded",
    ]);
    keel.output.list({
      name: "images",
      type: "image",
      items: images.map((image) => ({ ...image })),
      text: () => renderTable(chosen, images, options),
    });
  });

  const remove = group
    .command("rm")
    .argument("<images...>", "names of images")
    .option("--confirm <name>", "the cluster’s name: remove them although units use them")
    .description("Remove image archives from the cluster.");
  act<{ readonly confirm?: string }>(remove, async (keel, words, options) => {
    const client = await keel.daemon();
    const images = await client.images.list();
    const candidates = images.map((image) => ({
      names: [image.name, image.name.replace(/^localhost\//, ""), image.imageId],
      value: image.name,
    }));
    const names = words.map((word) => byPrefix(word, candidates, { code: "KEEL-508", what: "image" }));
    for (const name of names) await client.images.remove(name, options.confirm);
    keel.output.document({ removed: names }, () =>
      names.map((name) => `${name} removed; \`keel image load FILE\` brings it back\n`).join(""),
    );
  });
};

/** Uploads an archive with progress. Throws KEEL-104 for a file that is not there. */
async function loadImage(keel: Invocation, path: string): Promise<ImageView> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new KeelError("KEEL-104", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  });
  if (!info.isFile())
    throw new KeelError("KEEL-104", `${path} is no file`, { hint: "podman save -o FILE IMAGE" });
  const client = await keel.daemon();
  return keel.progress.run(`load ${path}`, (step) => {
    let sent = 0;
    const stream = createReadStream(path);
    stream.on("data", (chunk) => {
      sent += chunk.length;
      step.update(`${formatBytes(sent)} of ${formatBytes(info.size)}`);
    });
    stream.pause();
    return client.images.load(stream, info.size);
  });
}

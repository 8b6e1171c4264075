// Image archives: taken in over the socket, written to this machine's disk, handed to machines that need them.
import { KeelError } from "../../base/errors.ts";
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Image } from "../../model/image.ts";
import type { ClusterView } from "../../registry/cluster-view.ts";
import { deleteImage, putImage } from "../../registry/images.ts";
import { jsonAnswer } from "../answer.ts";
import { maxArchiveBytes } from "../archive/archive-store.ts";
import { bodyChunks } from "../body.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { Bindings } from "../listener.ts";

export function imageRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/images", async () => {
    const { revision, images } = await withCluster(context, async (snapshot) => snapshot);
    return jsonAnswer({ revision, images: [...images.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) });
  });

  routes.post("/v1/images", async (c) => {
    const images = await takeIn(context, c.env);
    const [first, ...others] = images;
    return jsonAnswer({ ...first, others }, 201);
  });

  routes.delete("/v1/images/:name{.+}", async (c) => {
    const name = c.req.param("name");
    const confirmed = c.req.query("confirm") === context.options.configuration.cluster;
    await withCluster(context, async (snapshot, view) => {
      if (!snapshot.images.has(name))
        throw new KeelError("KEEL-508", `no image ${JSON.stringify(name.slice(0, 400))}`);
      const users = await unitsWith(context, view, name);
      if (users.length > 0 && !confirmed) throw stillUsed(name, users, context.options.configuration.cluster);
      const revision = await deleteImage(context.options.store, name, { signal: context.signal });
      await sweep(context, await view.waitFor(revision, AbortSignal.timeout(5000)));
    });
    return new Response(null, { status: 204 });
  });
}

/** Receives an archive, and records each image that it holds. */
async function takeIn(context: ApiContext, { incoming }: Bindings): Promise<Image[]> {
  const { clock, store, machine } = context.options;
  using _slot = context.uploads.take();
  return await withCluster(context, async (_snapshot, view) => {
    const chunks = bodyChunks(incoming, clock, maxArchiveBytes);
    const declared = Number(incoming.headers["content-length"] ?? 0);
    const archive = await context.archives.receive(chunks, declared, architecture());
    using _held = context.archives.hold(archive.sha256);
    const holder = `http://${hostPart(machine.address)}:${machine.apiPort}`;
    const images: Image[] = [];
    let revision = 0;
    for (const { name, imageId } of archive.images) {
      const image = {
        name,
        archive: archive.sha256,
        imageId,
        bytes: archive.bytes,
        holders: [holder],
        loaded: clock.wall(),
      };
      revision = await putImage(store, image, { signal: context.signal });
      images.push(image);
    }
    const snapshot = await view.waitFor(revision, AbortSignal.timeout(5000));
    await sweep(context, snapshot);
    return images.map((image) => snapshot.images.get(image.name) ?? image);
  });
}

/** Archives here that no image refers to any more, because it was removed or replaced. */
async function sweep(context: ApiContext, snapshot: ClusterSnapshot): Promise<void> {
  await context.archives.sweep(new Set([...snapshot.images.values()].map(({ archive }) => archive)));
}

/** Units whose files name the image. */
async function unitsWith(context: ApiContext, view: ClusterView, image: string): Promise<string[]> {
  const { snapshot } = await context.reader.read(view);
  return [...snapshot.units.values()]
    .filter(({ name, hash }) => {
      const rules = context.reader.placements.rulesOf(hash, name);
      return typeof rules === "object" && "images" in rules && rules.images.includes(image);
    })
    .map(({ name }) => name);
}

function stillUsed(name: string, units: readonly string[], cluster: string): KeelError {
  const others = units.length > 3 ? ` and ${units.length - 3} more` : "";
  return new KeelError(
    "KEEL-204",
    `${name} is used by ${units.slice(0, 3).join(", ")}${others}, and removing it cannot be undone`,
    {
      hint: `Destroy these units first, or repeat with --confirm ${cluster}`,
      details: { units, needs: `--confirm ${cluster}` },
    },
  );
}

const hostPart = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** This machine's architecture in the words of image indexes. */
function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

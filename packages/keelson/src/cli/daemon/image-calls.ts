// Container images, as keeld keeps them.
import type { ImageView } from "../../api/wire/image.ts";
import { imageAnswer, imagesAnswer } from "./answers/image.ts";
import type { DaemonCalls } from "./calls.ts";

/** What is asked of the container images that the machines keep. */
export class ImageCalls {
  readonly #calls: DaemonCalls;

  constructor(calls: DaemonCalls) {
    this.#calls = calls;
  }

  async list(): Promise<readonly ImageView[]> {
    return (await this.#calls.get("/v1/images", imagesAnswer)).images;
  }

  /** Hands an image archive in. */
  load(stream: NodeJS.ReadableStream, bytes: number): Promise<ImageView> {
    const body = { stream, bytes, type: "application/x-tar" };
    return this.#calls.json({ method: "POST", path: "/v1/images", body, patient: true }, imageAnswer);
  }

  /** Throws KEEL-204 while units use it, unless the cluster's name is given. */
  async remove(name: string, confirm: string | undefined): Promise<void> {
    const query = confirm === undefined ? "" : `?confirm=${encodeURIComponent(confirm)}`;
    await this.#calls.whole({ method: "DELETE", path: `/v1/images/${encodeURIComponent(name)}${query}` });
  }
}

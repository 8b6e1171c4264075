// The forms of container images.
import * as z from "zod/mini";
import type { ImageView } from "../../../api/wire/image.ts";
import { answer, strings, text } from "./form.ts";

const image = z.looseObject({
  name: text,
  archive: text,
  imageId: text,
  bytes: z.number(),
  holders: strings,
  loaded: z.number(),
});

export const imageAnswer = answer<ImageView>(image);

export const imagesAnswer = answer<{ images: readonly ImageView[] }>(
  z.looseObject({ images: z.array(image) }),
);

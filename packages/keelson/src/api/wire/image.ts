// What the API says of container images.
export interface ImageView {
  readonly name: string;
  readonly archive: string;
  readonly imageId: string;
  readonly bytes: number;
  readonly holders: readonly string[];
  readonly loaded: number;
}

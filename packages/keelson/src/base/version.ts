import manifest from "../../package.json" with { type: "json" };

/** The version of `keel` and `keeld`: `0.1.0`. */
export const version: string = manifest.version;

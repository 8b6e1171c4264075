import manifest from "../../package.json" with { type: "json" };

/** The version of this `keel`: `0.1.0`. */
export const keelVersion: string = manifest.version;

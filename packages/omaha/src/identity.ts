// Ids come with and without braces, in capitals or not: update_engine writes `{E96281A6-…}` where
// updateservicectl writes `e96281a6-…`, and product ids are written like `com.example.App`.

/** The form in which two ids are compared: without braces, in lower case. */
export function plainId(id: string): string {
  const bare = id.startsWith("{") && id.endsWith("}") ? id.slice(1, -1) : id;
  return bare.toLowerCase();
}

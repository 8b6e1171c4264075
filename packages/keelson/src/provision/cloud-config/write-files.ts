// `write_files:`.
import type { FileConfig } from "../machine-config.ts";
import type { Field } from "../reading/field.ts";
import { readOwner, readPath, readPermissions } from "../reading/names.ts";
import { decode, encodings } from "../reading/encoding.ts";

const fileFields = ["path", "content", "owner", "permissions", "encoding", "append", "defer"] as const;

export function readWriteFiles(field: Field): readonly FileConfig[] {
  return field.items().flatMap((item): FileConfig[] => {
    const fields = item.fields(fileFields);
    fields.defer?.warn(
      "has no counterpart here",
      "Users are made before files in any case: remove the field.",
    );
    if (fields.path === undefined) return item.error("a file needs `path`", "Add path: /etc/NAME.") ?? [];
    const path = readPath(fields.path);
    const encoding = fields.encoding === undefined ? "text" : fields.encoding.oneOf(encodings);
    const text = fields.content?.text() ?? "";
    const mode = fields.permissions === undefined ? 0o644 : readPermissions(fields.permissions);
    const owner = fields.owner === undefined ? { user: "root", group: "root" } : readOwner(fields.owner);
    if (path === undefined || encoding === undefined || mode === undefined || owner === undefined) return [];
    const content = decode(text, encoding);
    if (typeof content === "string")
      return (fields.content ?? item).error(content, "Encode the content again; at most 1 MiB of it.") ?? [];
    return [
      {
        path,
        content,
        mode,
        ...owner,
        substitutes: encoding === "text" || encoding === "text/plain",
        append: fields.append?.flag() === true,
        keepsExisting: false,
        place: item.place,
      },
    ];
  });
}

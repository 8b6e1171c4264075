// `units:`, at the top or in CoreOS's section.
import { unitCommands } from "../machine-config.ts";
import type { UnitConfig } from "../machine-config.ts";
import type { Field } from "../reading/field.ts";
import { readUnitName } from "../reading/names.ts";
import { readUnitText } from "../reading/unit-text.ts";

const unitFields = ["name", "content", "drop_ins", "enable", "mask", "runtime", "command"] as const;

/** Services of CoreOS that are other things here: why, and what to do. */
const replaced: Readonly<Record<string, string>> = {
  etcd: "The store comes with keeld: use the section `keelson`, with `roles` or `endpoints`.",
  etcd2: "The store comes with keeld: use the section `keelson`, with `roles` or `endpoints`.",
  "etcd-member": "The store comes with keeld: use the section `keelson`, with `roles` or `endpoints`.",
  fleet: "keeld is fleet here: use the section `keelson`.",
  flanneld: "Machines reach each other's published ports: remove it.",
  docker: "Containers run without a daemon: remove it, `docker` and `podman` work as they are.",
  "early-docker": "Containers run without a daemon: remove it.",
  "update-engine": "Updates are Keelson's: use `update` in the section `keelson`.",
  locksmithd: "Restarts are Keelson's: use `update.reboot` in the section `keelson`.",
};

export function readUnits(field: Field): readonly UnitConfig[] {
  return field.items().flatMap((item): UnitConfig[] => {
    const fields = item.fields(unitFields);
    if (fields.name === undefined) return item.error("a unit needs `name`", "Add name: NAME.service.") ?? [];
    const name = readUnitName(fields.name);
    if (name === undefined) return [];
    const instead = replaced[name.replace(/\.(?:service|socket)$/, "")];
    if (instead !== undefined && fields.content === undefined) {
      item.warn(`${name} is not part of this system and is not applied`, instead);
      return [];
    }
    const content = fields.content === undefined ? undefined : readUnitText(fields.content);
    const enabled = fields.enable?.flag();
    const command = fields.command?.oneOf(unitCommands);
    if (/\.(?:network|netdev|link)$/.test(name) && fields.command !== undefined)
      fields.command.warn(
        "is not taken for network files",
        "They take effect when they are written: remove it.",
      );
    return [
      {
        name,
        dropIns: (fields.drop_ins?.items() ?? []).flatMap(readDropIn),
        masked: fields.mask?.flag() === true,
        runtime: fields.runtime?.flag() === true,
        ...(content !== undefined && { content }),
        ...(enabled !== undefined && { enabled }),
        ...(command !== undefined && { command }),
      },
    ];
  });
}

function readDropIn(item: Field): { name: string; content: string }[] {
  const fields = item.fields(["name", "content"]);
  const name = fields.name?.matching(
    /^[\w:.@-]{1,240}\.conf$/,
    "a file name that ends in .conf",
    "Take a name like 10-mine.conf.",
  );
  const content = fields.content === undefined ? undefined : readUnitText(fields.content);
  if (fields.name === undefined || fields.content === undefined)
    item.error("a drop-in needs `name` and `content`", "Add both.");
  return name === undefined || content === undefined ? [] : [{ name, content }];
}

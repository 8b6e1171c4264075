// OpenStack's metadata, from its service or from a config drive: docs.openstack.org/nova, "Metadata service".
import { AskedService, inside, keysIn, parseJson, textOf } from "./asked-service.ts";
import { maxUserData } from "./source.ts";
import type { Gathered, Source } from "./source.ts";

export const openStack: Source = {
  kind: "openstack",
  isLocal: false,
  isThere: ({ dmi }) =>
    /^OpenStack (?:Nova|Compute)$/.test(dmi.product_name ?? "") ||
    ["OpenStack Foundation", "OpenStack Nova", "OpenStack Compute"].includes(dmi.chassis_asset_tag ?? "") ||
    dmi.sys_vendor === "OpenStack Foundation",
  async read(asking) {
    const base = asking.endpoints.openstack;
    const service = new AskedService(asking, base, "OpenStack");
    const metadata = await service.get("/openstack/latest/meta_data.json");
    if (metadata === undefined) return undefined;
    const userData = await service.get("/openstack/latest/user_data", { maxBytes: maxUserData });
    // Addresses are told in Amazon's form only.
    const privateIpv4 = await service.line("/latest/meta-data/local-ipv4");
    const publicIpv4 = await service.line("/latest/meta-data/public-ipv4");
    return {
      kind: "openstack",
      where: base,
      ...openStackMetadata(metadata.toString()),
      addresses: { privateIpv4, publicIpv4 },
      ...(userData !== undefined && { userData }),
    };
  },
};

/** Instance, name and keys of a meta_data.json; what cannot be believed is left out. */
export function openStackMetadata(text: string): Pick<Gathered, "instance" | "hostname" | "keys"> {
  const metadata = parseJson(text);
  const instance = textOf(inside(metadata, "uuid"));
  const hostname = textOf(inside(metadata, "hostname"), 253);
  return {
    keys: keysIn(inside(metadata, "public_keys")),
    ...(instance !== undefined && { instance }),
    ...(hostname !== undefined && { hostname }),
  };
}

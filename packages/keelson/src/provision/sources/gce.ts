// Google's metadata server. Source: cloud.google.com/compute/docs/metadata.
import { KeelError } from "../../base/errors.ts";
import { AskedService, keysIn } from "./asked-service.ts";
import { maxUserData } from "./source.ts";
import type { Source } from "./source.ts";

const headers = { "metadata-flavor": "Google" };

export const gce: Source = {
  kind: "gce",
  isLocal: false,
  isThere: ({ dmi }) => dmi.product_name === "Google Compute Engine" || dmi.sys_vendor === "Google",
  async read(asking) {
    const base = asking.endpoints.gce;
    const service = new AskedService(asking, base, "GCE");
    const path = "/computeMetadata/v1/instance";
    const first = await service.ask(`${path}/id`, { headers });
    // Without it something else answers at this address.
    if (first.headers["metadata-flavor"] !== "Google" || first.status !== 200)
      throw new KeelError("KEEL-842", `what answers at ${base} is not Google’s metadata server`);
    const line = (name: string): Promise<string | undefined> => service.line(`${path}/${name}`, { headers });
    const instance = first.body.toString().trim();
    const hostname = await line("hostname");
    const userData = await service.get(`${path}/attributes/user-data`, { headers, maxBytes: maxUserData });
    const own = await service.get(`${path}/attributes/ssh-keys`, { headers });
    const isBlocked = (await line("attributes/block-project-ssh-keys"))?.toLowerCase() === "true";
    const project = isBlocked
      ? undefined
      : await service.get("/computeMetadata/v1/project/attributes/ssh-keys", { headers });
    const addresses = {
      privateIpv4: await line("network-interfaces/0/ip"),
      publicIpv4: await line("network-interfaces/0/access-configs/0/external-ip"),
    };
    return {
      kind: "gce",
      where: base,
      keys: [
        ...new Set([own, project].flatMap((text) => googleKeys(text?.toString() ?? "", asking.clock.wall()))),
      ],
      addresses,
      ...(/^\d{1,25}$/.test(instance) && { instance }),
      ...(hostname !== undefined && { hostname }),
      ...(userData !== undefined && { userData }),
    };
  },
};

/** `user:ssh-ed25519 AAAA… google-ssh {"expireOn":"…"}` lines; those whose time is over are left out. */
export function googleKeys(text: string, wall: number): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const key = /^[^:\s]{1,64}:(.*)$/.exec(line.trim())?.[1];
    const until = /"expireOn"\s*:\s*"([^"]{1,40})"/.exec(line)?.[1];
    if (key === undefined || (until !== undefined && !(Date.parse(until) > wall))) return [];
    return keysIn([key]);
  });
}

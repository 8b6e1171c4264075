// Amazon's instance metadata, version 2: a token first. Version 1 only where the server does not know tokens, as on
// clouds that imitate it. Source: docs.aws.amazon.com, "Use the Instance Metadata Service".
import { KeelError } from "../../base/errors.ts";
import { AskedService, keysIn } from "./asked-service.ts";
import { maxUserData } from "./source.ts";
import type { Source } from "./source.ts";

export const ec2: Source = {
  kind: "ec2",
  isLocal: false,
  isThere: ({ dmi }) =>
    dmi.sys_vendor === "Amazon EC2" ||
    dmi.bios_vendor === "Amazon EC2" ||
    (/^ec2[0-9a-f]/i.test(dmi.product_uuid ?? "") && /^ec2/i.test(dmi.product_serial ?? "")),
  async read(asking) {
    const base = asking.endpoints.ec2;
    const service = new AskedService(asking, base, "EC2");
    const headers = await tokenHeaders(service);
    const line = (name: string): Promise<string | undefined> =>
      service.line(`/latest/meta-data/${name}`, { headers });
    const instance = await line("instance-id");
    if (instance === undefined) return undefined;
    const userData = await service.get("/latest/user-data", { headers, maxBytes: maxUserData });
    const hostname = await line("local-hostname");
    const addresses = { privateIpv4: await line("local-ipv4"), publicIpv4: await line("public-ipv4") };
    // `0=name` lines.
    const list = (await service.get("/latest/meta-data/public-keys/", { headers }))?.toString() ?? "";
    const keys: string[] = [];
    for (const [, index] of list.matchAll(/^(\d{1,3})=/gm)) {
      if (keys.length >= 16) break;
      keys.push(...keysIn([await line(`public-keys/${index}/openssh-key`)]));
    }
    return {
      kind: "ec2",
      where: base,
      instance,
      keys,
      addresses,
      ...(hostname !== undefined && { hostname }),
      ...(userData !== undefined && { userData }),
    };
  },
};

async function tokenHeaders(service: AskedService): Promise<Record<string, string>> {
  const { status, body } = await service.ask("/latest/api/token", {
    method: "PUT",
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": "300" },
    maxBytes: 4096,
  });
  if (status === 200) {
    const token = body.toString().trim();
    if (/^[\x21-\x7e]{1,1024}$/.test(token)) return { "x-aws-ec2-metadata-token": token };
    throw new KeelError("KEEL-842", "the metadata service of EC2 hands out a token that is none");
  }
  // It does not know tokens at all: version 1. Anything else, 403 above all, is a refusal.
  if ([404, 405, 501].includes(status)) return {};
  throw new KeelError("KEEL-842", `the metadata service of EC2 refuses a token: ${status}`, {
    hint: "is instance metadata switched on for this instance?",
  });
}

// Azure: its metadata service for what the machine is, its drive for custom data, and the report that the machine is
// up, without which Azure calls its making failed. Source: learn.microsoft.com, "Azure Instance Metadata Service".
import { fromBase64 } from "../reading/encoding.ts";
import { AskedService, inside, keysIn, parseJson, textOf } from "./asked-service.ts";
import { fetchBounded } from "./http.ts";
import { maxUserData } from "./source.ts";
import type { Asking, Source } from "./source.ts";

/** Of every machine in Azure, and of no other Hyper-V. */
const assetTag = "7783-7084-3265-9085-8269-3286-77";
/** Labels of the drive with ovf-env.xml, by age. */
const driveLabels = ["OVFENV", "rd_rdfe_stable", "CDROM"] as const;

export const azure: Source = {
  kind: "azure",
  isLocal: false,
  isThere: ({ dmi }) => dmi.chassis_asset_tag === assetTag,
  async read(asking) {
    const base = asking.endpoints.azure;
    const service = new AskedService(asking, base, "Azure");
    const answer = await service.get("/metadata/instance?api-version=2021-02-01&format=json", {
      headers: { metadata: "true" },
    });
    const found = parseJson(answer?.toString());
    if (found === undefined) return undefined;
    const instance = textOf(inside(found, "compute", "vmId"));
    const hostname =
      textOf(inside(found, "compute", "osProfile", "computerName")) ??
      textOf(inside(found, "compute", "name"));
    const address = (name: string): string | undefined =>
      textOf(inside(found, "network", "interface", 0, "ipv4", "ipAddress", 0, name), 45);
    const publicKeys = inside(found, "compute", "publicKeys");
    const keyLines = Array.isArray(publicKeys)
      ? publicKeys.map((key: unknown) => inside(key, "keyData"))
      : [];
    const userData = decoded(inside(found, "compute", "userData")) ?? (await customData(asking));
    return {
      kind: "azure",
      where: base,
      keys: keysIn(keyLines),
      addresses: { privateIpv4: address("privateIpAddress"), publicIpv4: address("publicIpAddress") },
      ...(instance !== undefined && { instance }),
      ...(hostname !== undefined && { hostname }),
      ...(userData !== undefined && { userData }),
    };
  },
};

function decoded(value: unknown): Buffer | undefined {
  const text = textOf(value, maxUserData * 2);
  return text === undefined ? undefined : fromBase64(text);
}

/** Custom data is on the drive only. */
async function customData({ openDisk }: Asking): Promise<Buffer | undefined> {
  await using disk = await openDisk(driveLabels);
  const text = await disk?.read("ovf-env.xml", 1 << 20);
  return text === undefined ? undefined : customDataIn(text.toString());
}

/** The content of the one element that matters; the rest, a password maybe, is not looked at. */
export function customDataIn(xml: string): Buffer | undefined {
  const [, content] =
    /<(?:\w{1,20}:)?CustomData\s*>([A-Za-z0-9+/=\s]{1,700000})<\/(?:\w{1,20}:)?CustomData\s*>/.exec(xml) ??
    [];
  return content === undefined ? undefined : fromBase64(content);
}

const wireHeaders = { "x-ms-agent-name": "keelson", "x-ms-version": "2012-11-30" };

/** Tells Azure that the machine is up. Resolves with false when nobody there wants to know. */
export async function reportReady({
  endpoints,
  signal,
}: Pick<Asking, "endpoints" | "signal">): Promise<boolean> {
  const state = await fetchBounded(`${endpoints.azureWire}/machine/?comp=goalstate`, {
    headers: wireHeaders,
    signal,
  });
  const text = state.body.toString();
  const element = (name: string): string | undefined =>
    new RegExp(`<${name}>([\\w.-]{1,200})</${name}>`).exec(text)?.[1];
  const [incarnation, container, instance] = ["Incarnation", "ContainerId", "InstanceId"].map(element);
  if (state.status !== 200 || incarnation === undefined || container === undefined || instance === undefined)
    return false;
  const body = `<?xml version="1.0" encoding="utf-8"?><Health><GoalStateIncarnation>${incarnation}</GoalStateIncarnation><Container><ContainerId>${container}</ContainerId><RoleInstanceList><Role><InstanceId>${instance}</InstanceId><Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>`;
  const { status } = await fetchBounded(`${endpoints.azureWire}/machine?comp=health`, {
    method: "POST",
    headers: { ...wireHeaders, "content-type": "text/xml;charset=utf-8" },
    body,
    signal,
  });
  return status === 200;
}

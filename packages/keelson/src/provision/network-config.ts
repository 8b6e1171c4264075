// NoCloud's network-config, version 2 (netplan's form), as files of systemd-networkd. What a wired machine needs:
// addresses, routes, name servers. Everything else is told and left out.
import { isIP } from "node:net";
import type { FileConfig } from "./machine-config.ts";
import { readDocument } from "./reading/document.ts";
import type { Field } from "./reading/field.ts";
import type { Finding } from "./reading/findings.ts";

/** The files, and what there is to say about the text. Nothing is written when there is an error. */
export function readNetworkConfig(text: string): {
  readonly files: readonly FileConfig[];
  readonly findings: readonly Finding[];
} {
  const { field, findings } = readDocument(text, "yaml");
  const files = field === undefined ? [] : readRoot(field);
  const told = findings.all.map((finding) => ({
    ...finding,
    // The configuration itself is sound: the machine is set up, with the network it has.
    severity: "warning" as const,
    message: `network-config: ${finding.message}`,
  }));
  return { files: findings.hasErrors ? [] : files, findings: told };
}

function readRoot(root: Field): FileConfig[] {
  const whole = root.fields(["network", "version", "ethernets", "config"]);
  const fields =
    whole.network === undefined ? whole : whole.network.fields(["version", "ethernets", "config"]);
  if (fields.version?.text() !== "2") {
    root.error("only version 2 is read", "Write version: 2 with `ethernets`, or a .network file in `units`.");
    return [];
  }
  return (fields.ethernets?.entries() ?? []).flatMap(([name, ethernet], i) => {
    const content = readEthernet(name, ethernet);
    if (content === undefined) return [];
    const file = `/etc/systemd/network/20-nocloud-${i}.network`;
    return [
      {
        path: file,
        content: Buffer.from(content),
        mode: 0o644,
        user: "root",
        group: "root",
        substitutes: false,
        append: false,
        keepsExisting: false,
        place: ethernet.place,
      },
    ];
  });
}

const ethernetFields = [
  "match",
  "set_name",
  "dhcp4",
  "dhcp6",
  "addresses",
  "gateway4",
  "gateway6",
  "routes",
  "nameservers",
  "mtu",
  "optional",
] as const;

function readEthernet(name: string, field: Field): string | undefined {
  const fields = field.fields(ethernetFields);
  const match = fields.match?.fields(["macaddress", "name", "driver"]);
  const mac = match?.macaddress?.matching(
    /^[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}$/,
    "a MAC address",
    "Write it with colons.",
  );
  const driver = match?.driver?.matching(/^[\w-]{1,60}$/, "a driver’s name", "Write virtio_net.");
  const pattern = match?.name?.matching(
    /^[\w*?[\].-]{1,60}$/,
    "a name of an interface",
    "Write eth0 or en*.",
  );
  fields.set_name?.warn("interfaces keep their names", "Match by MAC address instead.");
  if (match === undefined && !/^[\w.-]{1,15}$/.test(name))
    return field.error("is no name of an interface", "Add `match`.");
  const dhcp4 = fields.dhcp4?.flag() === true;
  const dhcp6 = fields.dhcp6?.flag() === true;
  const addresses = (fields.addresses?.items() ?? []).flatMap((item) => readCidr(item) ?? []);
  const gateways = [fields.gateway4, fields.gateway6].flatMap((gateway) =>
    gateway === undefined ? [] : (readAddress(gateway) ?? []),
  );
  const servers = fields.nameservers?.fields(["addresses", "search"]);
  const dns = (servers?.addresses?.items() ?? []).flatMap((item) => readAddress(item) ?? []);
  const search = (servers?.search?.items() ?? []).flatMap(
    (item) => item.matching(/^[A-Za-z0-9.-]{1,253}$/, "a domain", "Write example.com.") ?? [],
  );
  const routes = (fields.routes?.items() ?? []).flatMap((item) => {
    const { to, via } = item.fields(["to", "via", "metric"]);
    const gateway = via && readAddress(via);
    if (to === undefined || gateway === undefined)
      return item.error("needs `to` and `via`", "Add both.") ?? [];
    const destination = to.text() === "default" ? undefined : readCidr(to);
    return [
      [
        "[Route]",
        `Gateway=${gateway}`,
        ...(destination === undefined ? [] : [`Destination=${destination}`]),
        "",
      ],
    ];
  });
  const mtu = fields.mtu?.integer(68, 65_535);
  const dhcp = dhcp4 && dhcp6 ? "yes" : dhcp4 ? "ipv4" : dhcp6 ? "ipv6" : "no";
  return [
    "[Match]",
    ...(mac === undefined ? [] : [`MACAddress=${mac}`]),
    ...(driver === undefined ? [] : [`Driver=${driver}`]),
    ...(pattern === undefined
      ? mac === undefined && driver === undefined
        ? [`Name=${name}`]
        : []
      : [`Name=${pattern}`]),
    "",
    ...(mtu === undefined ? [] : ["[Link]", `MTUBytes=${mtu}`, ""]),
    "[Network]",
    `DHCP=${dhcp}`,
    ...addresses.map((address) => `Address=${address}`),
    ...gateways.map((gateway) => `Gateway=${gateway}`),
    ...dns.map((server) => `DNS=${server}`),
    ...(search.length === 0 ? [] : [`Domains=${search.join(" ")}`]),
    "",
    ...routes.flat(),
  ].join("\n");
}

function readAddress(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined || isIP(text) !== 0) return text;
  return field.error("must be an IP address", "Write 10.0.0.1.");
}

function readCidr(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const [address = "", bits = ""] = text.split("/");
  const family = isIP(address);
  if (family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)) return text;
  return field.error("must be an address with its prefix", "Write 10.0.0.5/24.");
}

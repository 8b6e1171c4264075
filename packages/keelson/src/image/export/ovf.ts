// The descriptor of an OVA: DMTF's DSP0243, Open Virtualization Format 1.1. One machine with UEFI, one disk, one
// network card. Firmware is told by VMware's key, which others ignore.

export interface OvfMachine {
  /** `keelson_1.0.0_vm_amd64`. */
  readonly name: string;
  readonly version: string;
  readonly disk: {
    readonly file: string;
    /** Of the file, and of the disk that is in it. */
    readonly fileBytes: number;
    readonly diskBytes: number;
  };
  readonly processors: number;
  readonly memoryMb: number;
}

const namespaces = {
  "": "http://schemas.dmtf.org/ovf/envelope/1",
  ovf: "http://schemas.dmtf.org/ovf/envelope/1",
  cim: "http://schemas.dmtf.org/wbem/wscim/1/common",
  rasd: "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData",
  vssd: "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData",
  vmw: "http://www.vmware.com/schema/ovf",
} as const;

const diskFormat = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";

/** Kinds of CIM_ResourceAllocationSettingData. */
const kinds = { processor: 3, memory: 4, scsi: 6, network: 10, disk: 17 } as const;

export function ovfDescriptor(machine: OvfMachine): string {
  const { name, version, disk } = machine;
  const attributes = Object.entries(namespaces).map(([prefix, uri]) =>
    prefix === "" ? `xmlns="${uri}"` : `xmlns:${prefix}="${uri}"`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope ${attributes.join(" ")}>
  <References>
    <File ovf:id="file1" ovf:href="${escape(disk.file)}" ovf:size="${disk.fileBytes}"/>
  </References>
  <DiskSection>
    <Info>The disks of the machine</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="${disk.diskBytes}" ovf:capacityAllocationUnits="byte" ovf:format="${diskFormat}"/>
  </DiskSection>
  <NetworkSection>
    <Info>The networks of the machine</Info>
    <Network ovf:name="network"><Description>The network of the machine</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id="${escape(name)}">
    <Info>A Keelson machine</Info>
    <Name>${escape(name)}</Name>
    <OperatingSystemSection ovf:id="101" vmw:osType="otherLinux64Guest">
      <Info>The operating system</Info>
      <Description>Keelson ${escape(version)}</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>The hardware of the machine</Info>
      <System>
        <vssd:ElementName>Virtual hardware family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${escape(name)}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
${hardware(machine).join("\n")}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
      <vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="false"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;
}

function hardware({ processors, memoryMb }: OvfMachine): string[] {
  return [
    item({
      AllocationUnits: "hertz * 10^6",
      ElementName: `${processors} processors`,
      InstanceID: 1,
      ResourceType: kinds.processor,
      VirtualQuantity: processors,
    }),
    item({
      AllocationUnits: "byte * 2^20",
      ElementName: `${memoryMb} MB of memory`,
      InstanceID: 2,
      ResourceType: kinds.memory,
      VirtualQuantity: memoryMb,
    }),
    item({
      Address: 0,
      ElementName: "SCSI controller",
      InstanceID: 3,
      ResourceSubType: "VirtualSCSI",
      ResourceType: kinds.scsi,
    }),
    item({
      AddressOnParent: 0,
      ElementName: "Disk",
      HostResource: "ovf:/disk/disk1",
      InstanceID: 4,
      Parent: 3,
      ResourceType: kinds.disk,
    }),
    item({
      AddressOnParent: 7,
      AutomaticAllocation: "true",
      Connection: "network",
      ElementName: "Network card",
      InstanceID: 5,
      ResourceSubType: "VmxNet3",
      ResourceType: kinds.network,
    }),
  ];
}

/** The schema wants the properties of an item in the order of their names. */
function item(properties: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(properties)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `        <rasd:${name}>${escape(String(value))}</rasd:${name}>`);
  return `      <Item>\n${lines.join("\n")}\n      </Item>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The manifest beside a descriptor: what each file's SHA-256 is. DSP0243, section 5.1. */
export function ovfManifest(files: readonly { readonly name: string; readonly sha256: string }[]): string {
  return files.map(({ name, sha256 }) => `SHA256(${name})= ${sha256}\n`).join("");
}

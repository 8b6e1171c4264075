import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ovfDescriptor, ovfManifest } from "../../../src/image/export/ovf.ts";

const machine = {
  name: "keelson_1.0.0_vm_amd64",
  version: "1.0.0",
  disk: { file: "a.vmdk", fileBytes: 100, diskBytes: 2 ** 32 },
  processors: 2,
  memoryMb: 2048,
};

interface Element {
  readonly name: string;
  readonly children: Element[];
  readonly attributes: string;
}

/** A reader that takes no form of XML but ours: every element closed, in order. */
function parse(text: string): Element {
  const top: Element = { name: "", children: [], attributes: "" };
  const open = [top];
  for (const [, slash, name = "", attributes = "", single] of text
    .replace(/^<\?xml[^>]*\?>/, "")
    .matchAll(/<(\/)?([\w:]+)((?:\s+[\w:]+="[^"<]*")*)\s*(\/)?>/g)) {
    if (slash !== undefined) {
      assert.equal(open.pop()?.name, name);
      continue;
    }
    const element = { name, children: [], attributes };
    open.at(-1)?.children.push(element);
    if (single === undefined) open.push(element);
  }
  assert.equal(open.length, 1);
  return top.children[0] ?? top;
}

describe("an OVF descriptor", () => {
  const envelope = parse(ovfDescriptor(machine));
  const names = ({ children }: Element): string[] => children.map(({ name }) => name);

  test("has DSP0243's sections in the schema's order", () => {
    assert.equal(envelope.name, "Envelope");
    assert.deepEqual(names(envelope), ["References", "DiskSection", "NetworkSection", "VirtualSystem"]);
    const system = envelope.children[3];
    assert.ok(system);
    assert.deepEqual(names(system), ["Info", "Name", "OperatingSystemSection", "VirtualHardwareSection"]);
    for (const section of [...envelope.children.slice(1), ...system.children.slice(2)])
      assert.equal(section.children[0]?.name, "Info", section.name);
  });

  test("has properties of items in the order of their names, with the required ones", () => {
    const items = envelope.children[3]?.children[3]?.children.filter(({ name }) => name === "Item") ?? [];
    assert.equal(items.length, 5);
    for (const item of items) {
      assert.deepEqual(names(item), names(item).toSorted());
      for (const needed of ["rasd:ElementName", "rasd:InstanceID", "rasd:ResourceType"])
        assert.ok(names(item).includes(needed));
    }
  });

  test("refers to what it declares, and asks for UEFI", () => {
    const text = ovfDescriptor(machine);
    assert.match(text, /ovf:fileRef="file1"[^>]*ovf:capacity="4294967296"/);
    assert.match(text, /<rasd:HostResource>ovf:\/disk\/disk1</);
    assert.match(text, /vmw:key="firmware" vmw:value="efi"/);
  });

  test("stays well-formed whatever the names are", () => {
    parse(ovfDescriptor({ ...machine, name: `a"<&>b`, version: "]]>" }));
  });
});

test("a manifest has a line for each file", () => {
  assert.equal(ovfManifest([{ name: "a.ovf", sha256: "00" }]), "SHA256(a.ovf)= 00\n");
});

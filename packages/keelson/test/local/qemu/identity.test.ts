import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { greets, hostCablePort, loginCommand, loopbackAddress } from "../../../src/local/qemu/host-cable.ts";
import { hardwareAddress, identityCredentials } from "../../../src/local/qemu/identity.ts";

const facts = {
  cluster: "lab",
  name: "m1",
  machineId: "0123456789abcdef0123456789abcdef",
  hosts: "127.0.0.1 localhost\n10.205.7.11 m1\n",
  resolver: "nameserver 192.0.2.1\n",
};

describe("who a virtual machine is", () => {
  test("its cables have addresses of its own, the same at every start", () => {
    const names = fc.stringMatching(/^[a-z0-9]{1,12}$/);
    fc.assert(
      fc.property(names, names, (one, other) => {
        const address = hardwareAddress("lab", one, "bridge");
        assert.match(address, /^02(:[0-9a-f]{2}){5}$/);
        assert.equal(address, hardwareAddress("lab", one, "bridge"));
        assert.notEqual(address, hardwareAddress("lab", one, "host"));
        assert.notEqual(address, hardwareAddress("den", one, "bridge"));
        if (one !== other) assert.notEqual(address, hardwareAddress("lab", other, "bridge"));
      }),
    );
  });

  test("it is told the names of its cables, its own, and the names of the others", () => {
    const credentials = identityCredentials(facts);
    const link = credentials["network.link.50-host0"] ?? "";
    assert.ok(
      link.includes(`MACAddress=${hardwareAddress("lab", "m1", "bridge")}`) && link.includes("Name=host0"),
    );
    assert.equal(credentials["system.hostname"], "m1");
    const lines = (credentials["tmpfiles.extra"] ?? "").trim().split("\n");
    const written = lines.map((line) => Buffer.from(line.split(" ").at(-1) ?? "", "base64").toString());
    assert.ok(written.includes(facts.hosts) && written.includes(facts.resolver));
  });
});

describe("commands over the host's cable", () => {
  const login = {
    address: "10.205.7.11",
    name: "m1",
    identity: "/c/ssh/id_ed25519",
    knownHosts: "/c/ssh/known_hosts",
    shared: "/run/keelson/lab/machines/m1.ssh",
    connectSeconds: 10,
  };

  test("go to the machine's own loopback address and believe its key only", () => {
    const argv = loginCommand(login, ["true"]);
    assert.equal(loopbackAddress("10.205.7.11"), "127.205.7.11");
    assert.ok(argv.includes("root@127.205.7.11") && argv.includes(String(hostCablePort)));
    for (const option of ["StrictHostKeyChecking=yes", "HostKeyAlias=m1", "BatchMode=yes"])
      assert.ok(argv.includes(option));
  });

  test("arrive word by word, whatever is in them", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string().filter((word) => !word.includes("\0")),
          { minLength: 1 },
        ),
        (words) => {
          const line = loginCommand(login, ["printf", "%s\\0", ...words]).at(-1) ?? "";
          const said = execFileSync("/bin/sh", ["-c", line]).toString();
          assert.deepEqual(said.split("\0").slice(0, -1), words);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("a machine is there when its SSH greets, not when the connection is taken", async () => {
    const says = async (text: string | undefined, timeoutMs = 30_000): Promise<boolean> => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket.on("error", () => {}));
        if (text !== undefined) socket.write(text);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.9", resolve));
      const { port } = server.address() as AddressInfo;
      try {
        return await greets("10.0.0.9", { timeoutMs, port });
      } finally {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      }
    };
    assert.equal(await says("SSH-2.0-OpenSSH_10.0\r\n"), true);
    assert.equal(await says("HTTP/1.1 400\r\n"), false);
    assert.equal(await says(undefined, 50), false);
    assert.equal(await greets("10.0.0.9", { timeoutMs: 30_000, port: 1 }), false);
  });
});

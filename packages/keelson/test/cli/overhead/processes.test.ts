import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { parseSockets } from "../../../src/cli/commands/os/overhead/listening.ts";
import { parseStatus, userProcesses, visitors } from "../../../src/cli/commands/os/overhead/processes.ts";

const process_ = (pid: number, parent: number) => ({ pid, parent, name: `p${pid}` });

suite("processes of a machine", () => {
  test("a status names the process; the kernel's own are none", () => {
    const status = "Name:\tsystemd-udevd\nUmask:\t0022\nPid:\t312\nPPid:\t1\n";
    assert.deepEqual(parseStatus(status), { pid: 312, parent: 1, name: "systemd-udevd" });
    assert.equal(parseStatus("Name:\tkworker/0:0\nPid:\t31\nPPid:\t2\n"), undefined);
    assert.equal(parseStatus("Name:\tkthreadd\nPid:\t2\nPPid:\t0\n"), undefined);
    assert.equal(parseStatus(""), undefined);
  });

  test("this one is among those of this computer", async () => {
    const all = await userProcesses("/proc");
    assert.equal(
      all.some(({ pid }) => pid === process.pid),
      true,
    );
  });

  test("a login goes with everything that is there because of it", () => {
    const all = [
      process_(1, 0),
      process_(20, 1),
      process_(21, 20),
      process_(30, 1),
      process_(31, 30),
      process_(32, 31),
      process_(33, 32),
      process_(40, 30),
    ];
    assert.deepEqual(
      [...visitors(all, 33)].toSorted((a, b) => a - b),
      [30, 31, 32, 33, 40],
    );
    assert.deepEqual(
      [...visitors(all, 20)].toSorted((a, b) => a - b),
      [20, 21],
    );
  });

  test("any table of processes has an end", () => {
    const table = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 30 });
    fc.assert(
      fc.property(table, fc.nat(20), (pairs, own) => {
        const found = visitors(
          pairs.map(([pid, parent]) => process_(pid, parent)),
          own,
        );
        assert.ok(found.size >= 1);
      }),
    );
  });
});

suite("ports of a machine", () => {
  const head =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const rest = "00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0";

  test("those that listen, not those that talk, not the loopback's", () => {
    const tcp = `${head}   0: 00000000:0016 00000000:0000 0A ${rest}
   1: 0100007F:0277 00000000:0000 0A ${rest}
   2: 0F02000A:0016 0202000A:9A4C 01 ${rest}
`;
    assert.deepEqual(parseSockets(tcp, "tcp"), ["tcp 22"]);
  });

  test("of IPv6 as well, and of UDP those that take from anybody", () => {
    const any = "00000000000000000000000000000000";
    const own = "00000000000000000000000001000000";
    const mapped = "0000000000000000FFFF00000100007F";
    const tcp = [any, own, mapped].map((address, i) => `   ${i}: ${address}:1F90 ${any}:0000 0A ${rest}`);
    assert.deepEqual(parseSockets(tcp.join("\n"), "tcp"), ["tcp 8080"]);
    const udp = `  100: 0F02000A:0044 00000000:0000 07 ${rest}\n  101: 0F02000A:9000 0302000A:0035 01 ${rest}\n`;
    assert.deepEqual(parseSockets(udp, "udp"), ["udp 68"]);
  });

  test("garbage has no ports", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        assert.deepEqual(parseSockets(text, "tcp"), []);
      }),
    );
  });
});

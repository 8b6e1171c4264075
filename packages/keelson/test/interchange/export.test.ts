import assert from "node:assert/strict";
import { test } from "node:test";
import { exportUnits, type UnitToExport } from "../../src/interchange/export.ts";

const unit = (name: string, text: string, replicas = 0): UnitToExport => ({
  name,
  body: new TextEncoder().encode(text),
  replicas,
});
const cluster = [
  unit(
    "web@.container",
    "# ours\n[Container]\nImage=localhost/hello:latest\nNetwork=app.network\n\n[X-Keelson]\nReplicas=2\nRequiresUnit=db.service\n",
    2,
  ),
  unit("app.network", "[Network]\nInternal=true\n"),
  unit(
    "db.service",
    "[Service]\nExecStart=/bin/db\n[X-Fleet]\nMachineMetadata=disk=ssd\n[Install]\nWantedBy=x.target\n",
  ),
  unit("nightly.timer", "[Timer]\nOnCalendar=daily\n"),
  unit("once.service", "[Service]\nType=oneshot\nExecStart=/bin/once\n"),
  unit("job@.service", "[Service]\nExecStart=/bin/job %i\n", 2),
];
const find = (name: string): UnitToExport | undefined => cluster.find((one) => one.name === name);

test("files go where systemd and Quadlet look, with what they refer to, without what only a cluster knows", () => {
  const { files, services, notes } = exportUnits(
    cluster.filter(({ name }) => name !== "app.network"),
    find,
  );
  const web =
    "# ours\n[Container]\nImage=localhost/hello:latest\nNetwork=app.network\n\n[Unit]\nAfter=db.service\nRequires=db.service\n\n[Install]\nWantedBy=multi-user.target\n";
  assert.deepEqual(
    new Map(files.map(({ path, text }) => [path, text])),
    new Map([
      ["containers/app.network", "[Network]\nInternal=true\n"],
      ["system/db.service", "[Service]\nExecStart=/bin/db\n[Install]\nWantedBy=x.target\n"],
      ["system/once.service", "[Service]\nType=oneshot\nExecStart=/bin/once\n"],
      ["system/job@.service", "[Service]\nExecStart=/bin/job %i\n\n[Install]\nWantedBy=multi-user.target\n"],
      ["system/nightly.timer", "[Timer]\nOnCalendar=daily\n\n[Install]\nWantedBy=timers.target\n"],
      ["containers/web@1.container", web],
      ["containers/web@2.container", web],
    ]),
  );
  assert.deepEqual(services, [
    "db.service",
    "job@1.service",
    "job@2.service",
    "nightly.timer",
    "once.service",
    "web@1.service",
    "web@2.service",
  ]);
  assert.deepEqual(notes, [
    "db.service: its choice of machines has no equivalent on a single machine",
    "web@.container: the image localhost/hello:latest must be loaded there: podman load -i ARCHIVE",
  ]);
});

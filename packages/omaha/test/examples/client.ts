import { printRequest, readAsUpdateEngine, readResponse } from "@keelson/omaha";
import type { OmahaEvent, UpdateEngineReading } from "@keelson/omaha";

/** Says what happened, and asks whether there is something newer. */
export async function check(
  url: string,
  version: string,
  events: readonly OmahaEvent[] = [],
): Promise<UpdateEngineReading> {
  const body = printRequest({
    protocol: "3.0",
    version: "example-1.0",
    installSource: "scheduler",
    isMachine: true,
    os: { platform: "linux", version: "6.12", servicePack: "", arch: "x64" },
    apps: [
      {
        id: "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}",
        version,
        track: "stable",
        machineId: "4e502b3096414651b65fe3f377adc241",
        ping: { active: true },
        updateCheck: {},
        events,
      },
    ],
  });
  const reply = await fetch(url, { method: "POST", headers: { "content-type": "text/xml" }, body });
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  return readAsUpdateEngine(readResponse(await reply.bytes()));
}

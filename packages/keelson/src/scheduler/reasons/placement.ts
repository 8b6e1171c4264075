// Why the leader has it where it is, moves it, or does not: waits, machines that are lost, drained or avoided.
import { spanWords } from "../../base/span.ts";
import { type Finder } from "./subject.ts";

/** What it waits for: a machine that fits, a dependency, a unit that has to stop first, a leader that holds back. */
export const waits: Finder = ({ name, pass, orders }) => {
  const unplaced = pass.plan.unplaced.get(name);
  if (unplaced !== undefined) return [{ topic: "waits", text: unplaced.reason }];
  if (orders.length > 0 || !pass.wanted.placeables.has(name)) return [];
  return [{ topic: "waits", text: "the leader has yet to place it" }];
};

/** It is to go elsewhere and has not gone. */
export const leaves: Finder = ({ name, pass, orders, snapshot }) => {
  const found = orders.flatMap(({ machine, machineName, entry: { takesOver } }) => {
    const drain = snapshot.machineSettings.get(machine)?.drain;
    const why = drain === undefined || drain.reason === "" ? "" : ` (${drain.reason})`;
    const from = takesOver === undefined ? undefined : snapshot.members.get(takesOver)?.name;
    return [
      ...(drain === undefined ? [] : [{ topic: "draining", text: `${machineName} is being drained${why}` }]),
      ...(from === undefined
        ? []
        : [
            {
              topic: "handover",
              text: `${machineName} takes it over from ${from}: it stops there when it is healthy here`,
            },
          ]),
    ];
  });
  const stays = pass.plan.stays.get(name);
  return stays === undefined ? found : [...found, { topic: "stays", text: `it stays for now: ${stays}` }];
};

/** Its machine does not report. */
export const lost: Finder = ({ orders, snapshot, pass }) =>
  orders.flatMap(({ machine, machineName }) => {
    if (snapshot.machines.has(machine)) return [];
    const wait = pass.departures.machines.get(machine)?.waitsFor;
    return [
      { topic: "lost", text: `${machineName} does not report${wait === undefined ? "" : `; ${wait}`}` },
    ];
  });

/** What an earlier failure keeps it from. */
export const avoids: Finder = ({ orders, snapshot, wallMs }) =>
  orders.flatMap(({ entry: { avoids = {}, failedHandover } }) => [
    ...Object.entries(avoids).flatMap(([id, until]) =>
      until <= wallMs
        ? []
        : [
            {
              topic: "avoids",
              text: `it failed too often on ${snapshot.members.get(id)?.name ?? id.slice(0, 8)} and does not go back there for ${spanWords(until - wallMs)}`,
            },
          ],
    ),
    ...(failedHandover === undefined || failedHandover.until <= wallMs
      ? []
      : [
          {
            topic: "handover",
            text: `it could not be handed over to ${snapshot.members.get(failedHandover.to)?.name ?? "another machine"}: ${failedHandover.reason}`,
          },
        ]),
  ]);

// fleet's paths: which method of its API answers what, and what else there is no answer to.
import type { ApiContext, ApiRoutes } from "../context.ts";
import type { Bindings } from "../listener.ts";
import { jsonAnswer } from "../answer.ts";
import { faultOf, fleetError, fleetRefusal } from "./answer.ts";
import { fleetPrefixes } from "./paths.ts";
import { discoveryDocument } from "./discovery.ts";
import type { FleetApi, FleetCall } from "./fleet-api.ts";

type Answer = (name: string, call: FleetCall) => Promise<Response>;

interface Resource {
  /** By method. */
  readonly answers: Readonly<Record<string, Answer>>;
  /** What another method is told. */
  readonly only: string;
}

/** fleet's paths, for every door that has them: one API behind all of them. */
export function fleetRoutes(routes: ApiRoutes, context: ApiContext, api: FleetApi): void {
  const resources = resourcesOf(api);
  for (const prefix of fleetPrefixes) {
    const answer = (bindings: Bindings): Promise<Response> => answerBelow(prefix, bindings, resources);
    routes.all(prefix, async () => fleetRefusal(405));
    routes.all(`${prefix}/*`, async (c) => {
      try {
        return await answer(c.env);
      } catch (error) {
        const fault = faultOf(error);
        if (fault !== undefined)
          context.options.log.error("a request of fleet’s API failed", { path: c.req.path, error: fault });
        return fleetError(error);
      }
    });
  }
}

/** What a door of fleet's own answers beside that: its root, and nothing else. */
export function fleetOnlyRoutes(routes: ApiRoutes): void {
  routes.all("/", async () => fleetRefusal(405));
  routes.notFound(() => fleetRefusal(404));
  routes.onError((error) => fleetError(error));
}

async function answerBelow(
  prefix: string,
  bindings: Bindings,
  resources: ReadonlyMap<string, Resource>,
): Promise<Response> {
  const url = new URL(bindings.incoming.url ?? "/", "http://fleet");
  const parts = url.pathname.slice(prefix.length + 1).split("/");
  const [kind = "", encoded] = parts;
  const name = encoded === undefined ? undefined : decoded(encoded);
  if (name === undefined && encoded !== undefined) return fleetRefusal(400, "invalid URL escape");
  const resource = resources.get(name === undefined ? kind : `${kind}/`);
  if (resource === undefined || parts.length > 2 || name === "" || name?.includes("/") === true)
    return fleetRefusal(404);
  const answer = resource.answers[bindings.incoming.method ?? ""];
  if (answer === undefined) return fleetRefusal(405, `only ${resource.only} supported against this resource`);
  return await answer(name ?? "", { query: url.searchParams, bindings });
}

/** By path: a collection, or with a slash an item of it. */
function resourcesOf(api: FleetApi): ReadonlyMap<string, Resource> {
  return new Map<string, Resource>([
    ["units", { only: "GET", answers: { GET: (_name, call) => api.listUnits(call) } }],
    [
      "units/",
      {
        only: "GET, PUT and DELETE",
        answers: {
          GET: (name) => api.getUnit(name),
          PUT: (name, call) => api.putUnit(name, call),
          DELETE: (name) => api.deleteUnit(name),
        },
      },
    ],
    ["state", { only: "GET", answers: { GET: (_name, call) => api.listStates(call) } }],
    ["state/", { only: "GET", answers: { GET: (name) => api.getState(name) } }],
    [
      "machines",
      {
        only: "GET and PATCH",
        answers: {
          GET: (_name, call) => api.listMachines(call),
          PATCH: (_name, call) => api.patchMachines(call),
        },
      },
    ],
    [
      "discovery",
      {
        only: "GET",
        answers: {
          GET: (_name, { bindings }) => Promise.resolve(discovery(bindings)),
        },
      },
    ],
  ]);
}

function discovery({ incoming }: Bindings): Response {
  const host = incoming.headers.host ?? "localhost";
  return jsonAnswer(discoveryDocument(`http://${host}`));
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

// The description of fleet's API in Google's discovery format, version 1: what generated clients are made from.
// Source: https://developers.google.com/discovery/v1/reference/apis

type Json = { readonly [name: string]: Json } | readonly Json[] | string | boolean;

const text: Json = { type: "string" };
const state: Json = { type: "string", enum: ["inactive", "loaded", "launched"] };
const listOf = (name: string): Json => ({ type: "array", items: { $ref: name } });
const record = (id: string, properties: Json): Json => ({ id, type: "object", properties });
const page = (id: string, field: string, of: string): Json =>
  record(id, { [field]: listOf(of), nextPageToken: text });

const schemas: Json = {
  Machine: record("Machine", {
    id: text,
    primaryIP: text,
    metadata: { type: "object", properties: {}, additionalProperties: text },
  }),
  MachinePage: page("MachinePage", "machines", "Machine"),
  UnitOption: record("UnitOption", { section: text, name: text, value: text }),
  Unit: record("Unit", {
    name: text,
    options: listOf("UnitOption"),
    desiredState: state,
    currentState: state,
    machineID: { type: "string", required: true },
  }),
  UnitPage: page("UnitPage", "units", "Unit"),
  UnitState: record("UnitState", {
    name: text,
    hash: text,
    machineID: text,
    systemdLoadState: text,
    systemdActiveState: text,
    systemdSubState: text,
  }),
  UnitStatePage: page("UnitStatePage", "states", "UnitState"),
};

interface Method {
  readonly id: string;
  readonly says: string;
  readonly verb: string;
  readonly path: string;
  readonly query?: readonly string[];
  readonly takes?: string;
  readonly gives?: string;
}

function method({ id, says, verb, path, query = [], takes, gives }: Method): Json {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  const fromPath = inPath.map((name) => [name, { type: "string", location: "path", required: true }]);
  const fromQuery = query.map((name) => [name, { type: "string", location: "query" }]);
  return {
    id: `fleet.${id}`,
    description: says,
    httpMethod: verb,
    path,
    parameters: Object.fromEntries([...fromPath, ...fromQuery]) as Json,
    ...(inPath.length === 0 ? {} : { parameterOrder: inPath }),
    ...(takes === undefined ? {} : { request: { $ref: takes } }),
    ...(gives === undefined ? {} : { response: { $ref: gives } }),
  };
}

const paged = ["nextPageToken"];
const oneUnit = "units/{unitName}";

const resources: Json = {
  Machines: {
    methods: {
      List: method({
        id: "Machine.List",
        says: "A page of the machines that are there.",
        verb: "GET",
        path: "machines",
        query: paged,
        gives: "MachinePage",
      }),
    },
  },
  Units: {
    methods: {
      List: method({
        id: "Unit.List",
        says: "A page of the units.",
        verb: "GET",
        path: "units",
        query: paged,
        gives: "UnitPage",
      }),
      Get: method({ id: "Unit.Get", says: "One unit.", verb: "GET", path: oneUnit, gives: "Unit" }),
      Delete: method({ id: "Unit.Delete", says: "Destroys a unit.", verb: "DELETE", path: oneUnit }),
      Set: method({
        id: "Unit.Set",
        says: "Creates a unit, or changes what is desired of it.",
        verb: "PUT",
        path: oneUnit,
        takes: "Unit",
      }),
    },
  },
  UnitState: {
    methods: {
      List: method({
        id: "UnitState.List",
        says: "A page of what systemd says of units on their machines.",
        verb: "GET",
        path: "state",
        query: [...paged, "unitName", "machineID"],
        gives: "UnitStatePage",
      }),
      Get: method({
        id: "UnitState.Get",
        says: "What systemd says of one unit.",
        verb: "GET",
        path: "state/{unitName}",
        gives: "UnitState",
      }),
    },
  },
};

/** `origin`: where the API was asked, `http://10.0.0.1:49153`. */
export function discoveryDocument(origin: string): Json {
  return {
    kind: "discovery#restDescription",
    discoveryVersion: "v1",
    id: "fleet:v1",
    name: "schema",
    version: "v1",
    title: "fleet API",
    description: "The units and machines of a Keelson cluster, as fleet 1.0 told them.",
    documentationLink: "https://github.com/coreos/fleet",
    protocol: "rest",
    icons: { x16: "", x32: "" },
    labels: [],
    baseUrl: `${origin}/fleet/v1/`,
    basePath: "/fleet/v1/",
    rootUrl: `${origin}/`,
    servicePath: "fleet/v1/",
    batchPath: "batch",
    parameters: {},
    auth: {},
    schemas,
    resources,
  };
}

// The original's own list of functional tests, on four real machines. The names are the original's.
import { after, afterEach, before, describe } from "node:test";
import { whyNoMachines } from "../support/machines.ts";
import { clientChecks } from "./functional/clients.ts";
import { machineChecks } from "./functional/machines.ts";
import { originalClient } from "./functional/original-client.ts";
import { scheduling } from "./functional/scheduling.ts";
import { Stage } from "./functional/stage.ts";
import { unitActions } from "./functional/unit-actions.ts";

const stage = new Stage(`t${process.pid}-fleet`);

describe("fleet’s functional list", { skip: whyNoMachines(), timeout: 1_200_000 }, () => {
  before(() => stage.open());
  afterEach(() => stage.clear());
  after(() => stage.close());
  describe("client, fleetctl, machines", () => clientChecks(stage));
  describe("the original’s requests", () => originalClient(stage));
  describe("unit actions, systemd, install", () => unitActions(stage));
  describe("scheduling, metadata", () => scheduling(stage));
  describe("cluster, node, server, shutdown", () => machineChecks(stage));
});

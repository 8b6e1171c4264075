// What the API says of the update service.
import type { UpdateMachinesPage, UpdatesOverview, UpdateWhy } from "../../model/update-overview.ts";

export type UpdatesView = UpdatesOverview;
export type UpdateMachinesView = UpdateMachinesPage;

/** One machine, in each application that it asks for. */
export interface UpdateWhyView {
  readonly machines: readonly UpdateWhy[];
}

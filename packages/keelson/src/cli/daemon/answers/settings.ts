// The form of the settings of the whole cluster.
import * as z from "zod/mini";
import type { SettingsView } from "../../../api/wire/settings.ts";
import { answer } from "./form.ts";

const settings = z.looseObject({
  revision: z.number(),
  autoRebalance: z.boolean(),
  overcommit: z.looseObject({ memory: z.number(), cpu: z.number() }),
});

export const settingsAnswer = answer<SettingsView>(settings);

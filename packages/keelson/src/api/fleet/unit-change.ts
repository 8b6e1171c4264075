// What a PUT of a unit means: pure. fleet tells content from state by hashing the options: other content is a new
// unit in the place of the old one, inactive unless the request says otherwise.
import type { Intent } from "../../model/operation.ts";
import type { DesiredState } from "../../model/unit.ts";
import { desiredStates } from "../../model/unit.ts";
import { isTemplate, readUnitName } from "../../model/unit-name.ts";
import { fileOfOptions, optionsHash } from "./options.ts";
import type { FleetOption } from "./options.ts";

export interface UnitRequest {
  /** In the URL. */
  readonly name: string;
  /** In the body; it may be missing. */
  readonly bodyName: string;
  readonly options: readonly FleetOption[];
  readonly desiredState: string;
}

export interface ExistingUnit {
  readonly desired: DesiredState;
  /** fleet's hash of its options. */
  readonly hash: string;
}

export type UnitChange =
  | { readonly status: 201 | 204; readonly intent: Intent; readonly desired: DesiredState }
  | { readonly status: 400 | 409; readonly refusal: string };

/** @throws KeelError KEEL-103 for the name, KEEL-581 for the options */
export function unitChange(request: UnitRequest, existing: ExistingUnit | undefined): UnitChange {
  const { name, bodyName, options, desiredState } = request;
  if (bodyName !== "" && bodyName !== name) {
    const names = `${JSON.stringify(name)} differs from unit name in request body ${JSON.stringify(bodyName)}`;
    return { status: 400, refusal: `name in URL ${names}` };
  }
  readUnitName(name);
  if (existing === undefined && options.length === 0)
    return { status: 409, refusal: "unit does not exist and options field empty" };
  const desired = desiredStates.find((state) => state === desiredState);
  if (desired === undefined && desiredState !== "") {
    const known = desiredStates.join(", ");
    return { status: 400, refusal: `desiredState ${JSON.stringify(desiredState)} is none of ${known}` };
  }
  const isNew = options.length > 0 && optionsHash(options) !== existing?.hash;
  if (!isNew && desired === undefined)
    return { status: 409, refusal: "must provide DesiredState to update existing unit" };
  if (isTemplate(name) && desired !== undefined && desired !== "inactive")
    return { status: 400, refusal: `cannot activate template ${JSON.stringify(name)}` };
  return isNew ? newContent(request, desired ?? "inactive") : newState(name, desired ?? "inactive");
}

function newContent({ name, options }: UnitRequest, desired: DesiredState): UnitChange {
  const body = Buffer.from(fileOfOptions(options)).toString("base64");
  // A template is never active here; its replicas are, and they stay what they are.
  const exactly = !isTemplate(name);
  const intent: Intent = { kind: "submit", files: [{ name, body }], desired, replace: true, exactly };
  return { status: 201, intent, desired };
}

function newState(name: string, desired: DesiredState): UnitChange {
  return { status: 204, intent: { kind: "set-desired", units: { names: [name] }, desired }, desired };
}

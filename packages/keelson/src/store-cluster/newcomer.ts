// What a machine that is new to the cluster gets with its configuration: where the store is, and a certificate.
// Its key is made by the authority's keeld, since the machine is not there yet to make one.
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Authority } from "../authority/authority.ts";
import { Identity } from "../authority/identity.ts";
import { keepPrivateKey, writeSecret } from "../authority/private-key.ts";
import { signingRequest } from "../authority/signing-request.ts";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import { newcomerCodec } from "../model/store.ts";
import type { NewcomerCredentials, StoreLocation } from "../model/store.ts";
import type { LocationFile } from "./location-file.ts";

export async function newcomerCredentials(wanted: {
  readonly authority: Authority;
  readonly location: StoreLocation;
  /** Machine id. */
  readonly machine: string;
  readonly stateDir: string;
}): Promise<NewcomerCredentials> {
  const { authority, location, machine, stateDir } = wanted;
  const folder = join(stateDir, "authority", `newcomer-${machine.replaceAll(/[^0-9a-f]/g, "")}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const key = await keepPrivateKey(join(folder, "key"));
    const request = await signingRequest(key, folder);
    const cert = await authority.sign({ request, use: "client", name: machine, addresses: [] });
    const pem = key.export({ type: "pkcs8", format: "pem" }) as string;
    return { location, ca: authority.certificate, cert, key: pem };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface NewcomerPlace {
  /** File of the credential. */
  readonly path: string;
  readonly file: LocationFile;
  /** Folder of the client's identity. */
  readonly folder: string;
  readonly clock: Clock;
}

/** Takes the credential up unless this machine knows where the store is. Throws KEEL-106 when it cannot be read. */
export async function takeUpNewcomer({ path, file, folder, clock }: NewcomerPlace): Promise<void> {
  if (file.location !== undefined) return;
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return;
  try {
    const { location, ca, cert, key } = newcomerCodec.decode(path, Buffer.from(text));
    const identity = await Identity.open({ folder, use: "client", clock });
    await writeSecret(identity.path("key"), key);
    const problem = await identity.accept(cert, ca);
    if (problem !== undefined) throw new Error(problem);
    await file.write(location);
  } catch (cause) {
    throw new KeelError("KEEL-106", `${path}: ${(cause as Error).message.slice(0, 300)}`, { cause });
  }
}

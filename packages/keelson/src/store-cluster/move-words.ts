import type { StoreMigration } from "../registry/store-migration.ts";

type Progress = Parameters<StoreMigration["onProgress"]>[0];

const words = {
  checking: "compares the places",
  reading: "reads the store",
  copying: "copies the store",
  following: "copies the store",
  sealing: "seals the former store",
  draining: "copies the last changes",
  verifying: "compares both stores",
  "handing over": "hands over",
  done: "is done",
} as const satisfies Record<Progress["step"], string>;

/** What a move does, with how far it has come where that takes time. */
export function moveWords({ step, revision, sourceRevision }: Progress): string {
  const isCopying = step === "copying" || step === "following";
  return isCopying && sourceRevision > 0
    ? `${words[step]} (revision ${revision} of ${sourceRevision})`
    : words[step];
}

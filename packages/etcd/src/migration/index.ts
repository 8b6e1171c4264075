// Moves a live store into an empty one, with identical revisions.

export { migrate, resumeMigration, undoMigration } from "./migrate.ts";
export { MIGRATION_STEPS } from "./options.ts";
export type {
  LastWrite,
  MigrationOptions,
  MigrationProgress,
  MigrationResult,
  MigrationStep,
} from "./options.ts";
export { isEmbedded } from "./seal.ts";
export { plan } from "./plan.ts";
export type { ReplayedChange, ReplayedRevision, SourceHistory, SourceVersion } from "./history.ts";

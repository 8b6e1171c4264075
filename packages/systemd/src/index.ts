/** Unit files and names, Quadlets, systemd's manager over D-Bus, and the journal. See ../README.md. */
export { type CalendarField, type CalendarSpec, type CalendarStep, parseCalendar } from "./calendar/spec.ts";
export * from "./calendar/next-elapse.ts";
export * from "./error.ts";
export * from "./name/escape.ts";
export * from "./name/unit-name.ts";
export * from "./nearest.ts";
export * from "./quadlet/argument.ts";
export * from "./quadlet/images.ts";
export * from "./quadlet/keys.ts";
export * from "./quadlet/lint.ts";
export * from "./quadlet/mount.ts";
export * from "./quadlet/ports.ts";
export * from "./quadlet/references.ts";
export * from "./quadlet/service-name.ts";
export * from "./quadlet/value.ts";
export * from "./specifier.ts";
export * from "./unit-file/boolean.ts";
export {
  type Assignment,
  type Blank,
  type Comment,
  type Item,
  type Position,
  type SectionHeader,
} from "./unit-file/item.ts";
export { positionInValue } from "./unit-file/item.ts";
export { type NewAssignment } from "./unit-file/edit.ts";
export { MAX_UNIT_FILE_BYTES } from "./unit-file/text.ts";
export * from "./unit-file/size.ts";
export * from "./unit-file/timespan.ts";
export * from "./unit-file/unit-file.ts";
export * from "./unit-file/words.ts";
export { type Bus, type BusCall, type BusSignal, type SignalMatch } from "./manager/bus.ts";
export * from "./manager/clock.ts";
export { dialBus, type DialOptions, MAX_CALLS_IN_FLIGHT } from "./manager/dbus-bus.ts";
export { type JobOutcome, type JobResult } from "./manager/jobs.ts";
export * from "./manager/options.ts";
export * from "./manager/systemd-manager.ts";
export { type ActiveState, type UnitListing, type UnitState } from "./manager/unit-state.ts";
export { type UnitChanges, type WatchOptions } from "./manager/unit-watch.ts";
export { journalctlCommand, type JournalQuery } from "./journal/arguments.ts";
export { type JournalEntry, parseJournalEntry } from "./journal/entry.ts";
export * from "./journal/reader.ts";

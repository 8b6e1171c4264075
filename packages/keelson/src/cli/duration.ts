// Spans and points of time as people write and read them.
import { KeelError } from "../base/errors.ts";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * `90`, `90s`, `1h30m`, `2d` in milliseconds; a bare number is seconds. Throws KEEL-104 naming `what`.
 * Source of the form: systemd.time(7), the short names.
 */
export function parseDuration(text: string, what: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|min|m|sec|s|hr|h|d|w)/g)];
  const whole = parts.map((part) => part[0]).join("");
  if (parts.length === 0 || whole !== text) {
    throw new KeelError("KEEL-104", `${what}: "${text}" is no span of time`, {
      hint: "write 30s, 5m, 1h30m or 2d",
    });
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? ""] ?? 0), 0);
}

/** A span for people: `340 ms`, `2.4 s`, `3m 20s`, `5h 2m`, `3d 4h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3600)}h`;
}

/** How long ago: `4.0 s ago`; `now` within a second or in the future. */
export function formatAge(at: number, now: number): string {
  return now - at < 1000 ? "now" : `${formatDuration(now - at)} ago`;
}

/** A moment in the person's own time zone: `2026-11-03 14:05:09`. */
export function formatMoment(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

import { createContext, useContext } from "react";

/** The time on the daemon's clock. */
export const DaemonTime = createContext(0);

/** `12 s`, `3 min`, `2 h`, `5 days`; the moment itself when pointed at. */
export function Ago({
  at,
  before = "",
  after = "",
}: {
  readonly at: number;
  readonly before?: string;
  readonly after?: string;
}) {
  const now = useContext(DaemonTime);
  const moment = new Date(at);
  return (
    <time dateTime={moment.toISOString()} title={moment.toLocaleString()}>
      {before}
      {duration(now - at)}
      {after}
    </time>
  );
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "1 day" : `${days} days`;
}

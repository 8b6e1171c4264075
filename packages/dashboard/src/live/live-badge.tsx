import { UnstyledButton } from "@mantine/core";
import type { Liveness } from "./liveness.ts";
import "./live-badge.css";

/** `live`, `behind 3 s`, `stale – reconnecting in 2 s`. While there is no connection it is a button that tries at once. */
export function LiveBadge({
  liveness,
  onRetry,
}: {
  readonly liveness: Liveness;
  readonly onRetry: () => void;
}) {
  const content = (
    <>
      <span className="live-badge-dot" aria-hidden="true" />
      {wordsFor(liveness)}
    </>
  );
  const canRetry = "retryMs" in liveness && liveness.retryMs !== undefined;
  if (!canRetry) {
    return (
      <span className="live-badge" data-kind={liveness.kind} data-testid="live-badge">
        {content}
      </span>
    );
  }
  return (
    <UnstyledButton
      className="live-badge"
      data-kind={liveness.kind}
      data-testid="live-badge"
      title="Try again now"
      onClick={onRetry}
    >
      {content}
    </UnstyledButton>
  );
}

function wordsFor(liveness: Liveness): string {
  switch (liveness.kind) {
    case "connecting":
      return "connecting";
    case "live":
      return "live";
    case "behind":
      return `behind ${seconds(liveness.ageMs)}${retryWords(liveness.retryMs, " – ")}`;
    case "stale":
      return `stale${retryWords(liveness.retryMs, " – ") || ` for ${seconds(liveness.ageMs)}`}`;
  }
}

function retryWords(retryMs: number | undefined, before: string): string {
  if (retryMs === undefined) return "";
  return `${before}reconnecting${retryMs < 1000 ? "" : ` in ${seconds(retryMs)}`}`;
}

const seconds = (ms: number): string => {
  const whole = Math.max(1, Math.round(ms / 1000));
  return whole < 120 ? `${whole} s` : `${Math.round(whole / 60)} min`;
};

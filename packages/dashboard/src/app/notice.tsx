import type { Liveness } from "../live/liveness.ts";
import { ToneIcon } from "../element/state-mark.tsx";

interface NoticeProps {
  readonly liveness: Liveness;
  readonly hasCluster: boolean;
  readonly problem: string | undefined;
  readonly heardAt: number | undefined;
}

/** What stands between the page and the truth: nothing, while it is live. */
export function Notice({ liveness, hasCluster, problem, heardAt }: NoticeProps) {
  const words = wordsFor({ liveness, hasCluster, problem, heardAt });
  if (words === undefined) return null;
  return (
    <div className="notice" role="status">
      <ToneIcon tone={liveness.kind === "connecting" ? "busy" : "warn"} size={20} />
      <span>{words}</span>
    </div>
  );
}

function wordsFor({ liveness, hasCluster, problem, heardAt }: NoticeProps): string | undefined {
  if (problem !== undefined)
    return `The daemon tells something that this page cannot read (${problem}). Reload the page: keeld may have been upgraded.`;
  if (liveness.kind === "stale" && heardAt !== undefined) {
    const time = new Date(heardAt).toLocaleTimeString();
    return `No word from the cluster since ${time}. What you see is from then; running units keep running.`;
  }
  return hasCluster ? undefined : "Connecting to the cluster…";
}

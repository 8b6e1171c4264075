import type { Tone } from "../element/state-mark.tsx";

const mostSegments = 12;

/** `2 of 3`, with a segment for each up to twelve. */
export function HealthBar({
  wanted,
  healthy,
  tone,
}: {
  readonly wanted: number;
  readonly healthy: number;
  readonly tone: Tone;
}) {
  if (wanted === 0) return <span className="mute">–</span>;
  const segments = Math.min(wanted, mostSegments);
  const filled = Math.floor((healthy / wanted) * segments);
  return (
    <span className="health-bar">
      <span className="health-count">
        {healthy} of {wanted}
      </span>
      <span className="health-segments" data-tone={tone} aria-hidden="true">
        {Array.from({ length: segments }, (_, i) => (
          <span key={i} data-filled={i < filled} />
        ))}
      </span>
    </span>
  );
}

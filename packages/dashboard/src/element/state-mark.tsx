// A state is always an icon, a word and a colour: none of them alone.
import "./state-mark.css";

export type Tone = "good" | "busy" | "warn" | "bad" | "mute";

export function StateMark({ tone, word }: { readonly tone: Tone; readonly word: string }) {
  return (
    <span className="state-mark" data-tone={tone}>
      <ToneIcon tone={tone} />
      {word}
    </span>
  );
}

/** A tick, a circle in part, a triangle, a cross, a dash: told apart without colour. */
export function ToneIcon({ tone, size = 16 }: { readonly tone: Tone; readonly size?: number }) {
  return (
    <svg
      className="tone-icon"
      data-tone={tone}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      {shapes[tone]}
    </svg>
  );
}

const shapes = {
  good: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="m4.8 8.2 2.200 2.300 4.200-4.800" className="tone-icon-cut" />
    </>
  ),
  busy: (
    <>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="2" opacity="0.35" />
      <path
        d="M8 2a6 6 0 0 1 6 6"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        strokeLinecap="round"
        className="tone-icon-turn"
      />
    </>
  ),
  warn: (
    <>
      <path d="M8 1.300 15.300 14a.8.8 0 0 1-.7 1.200H1.400A.8.8 0 0 1 .7 14z" fill="currentColor" />
      <path d="M8 6v4M8 12.400v.1" className="tone-icon-cut" />
    </>
  ),
  bad: (
    <>
      <path d="M5.100 1h5.800L15 5.100v5.800L10.900 15H5.100L1 10.900V5.100z" fill="currentColor" />
      <path d="m5.600 5.600 4.800 4.800m0-4.800-4.800 4.800" className="tone-icon-cut" />
    </>
  ),
  mute: (
    <>
      <circle cx="8" cy="8" r="6.200" fill="none" stroke="currentColor" strokeWidth="1.600" />
      <path d="M5 8h6" stroke="currentColor" strokeWidth="1.600" strokeLinecap="round" />
    </>
  ),
} as const;

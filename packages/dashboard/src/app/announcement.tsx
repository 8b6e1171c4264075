import { VisuallyHidden } from "@mantine/core";
import { useEffect, useState } from "react";

const quietMs = 5000;

/** Says the sentence to screen readers when it changes, at most each five seconds. */
export function Announcement({ sentence }: { readonly sentence: string }) {
  const [said, setSaid] = useState(sentence);
  const [lastAt, setLastAt] = useState(0);
  useEffect(() => {
    if (said === sentence) return undefined;
    const wait = Math.max(0, lastAt + quietMs - Date.now());
    const timer = setTimeout(() => {
      setSaid(sentence);
      setLastAt(Date.now());
    }, wait);
    return () => clearTimeout(timer);
  }, [sentence, said, lastAt]);
  return (
    <VisuallyHidden role="status" aria-live="polite">
      {said}
    </VisuallyHidden>
  );
}

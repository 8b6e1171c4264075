import { useEffect, useState } from "react";

/** Waits this long for further changes before asking. */
const gatherMs = 250;

/** When the daemon could not be asked. */
const retryMs = 5000;

export interface Answered<T> {
  readonly value: T | undefined;
  /** Why there is none, in words; empty when there is. */
  readonly problem: string;
}

/**
 * What the daemon answers to a path: asked again when `version` changes, and every `everyMs` for as long as `isOpen`
 * says of the answer that it is not the last word. What was answered before stays meanwhile. The functions must be the
 * same every time.
 */
export function useAnswer<T>(
  path: string,
  decode: (value: unknown) => T,
  {
    version,
    everyMs,
    isOpen,
  }: {
    readonly version: unknown;
    readonly everyMs?: number;
    readonly isOpen?: (value: T) => boolean;
  },
): Answered<T> {
  const [answered, setAnswered] = useState<Answered<T>>({ value: undefined, problem: "" });
  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const response = await fetch(path, { signal: ending.signal });
        if (!response.ok) throw new Error(`the daemon answers ${response.status}`);
        const value = decode(await response.json());
        setAnswered({ value, problem: "" });
        if (everyMs !== undefined && isOpen?.(value) === true) timer = setTimeout(() => void ask(), everyMs);
      } catch (error) {
        if (ending.signal.aborted) return;
        const problem = error instanceof Error ? error.message : String(error);
        setAnswered(({ value }) => ({ value, problem }));
        timer = setTimeout(() => void ask(), retryMs);
      }
    };
    timer = setTimeout(() => void ask(), gatherMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [path, version, decode, everyMs, isOpen]);
  return answered;
}

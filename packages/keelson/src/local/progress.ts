/** One thing that is being done, as it is shown to a person. */
export interface Step {
  /** Replaces what stands behind the step's name. */
  update(detail: string): void;
  done(detail?: string): void;
  fail(detail?: string): void;
}

/** Where long work tells how far it is. */
export interface Progress {
  step(name: string): Step;
}

export const silentProgress: Progress = { step: () => ({ update() {}, done() {}, fail() {} }) };

/** Runs a task as a step; the text that `summary` makes of its result stands behind the name. */
export async function asStep<T>(
  progress: Progress,
  name: string,
  task: (step: Step) => Promise<T>,
  summary?: (result: T) => string,
): Promise<T> {
  const step = progress.step(name);
  try {
    const result = await task(step);
    step.done(summary?.(result));
    return result;
  } catch (error) {
    step.fail();
    throw error;
  }
}

/** Bytes in the largest unit that leaves at least one digit before the point: 812 kB, 61.4 MB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

import { UnstyledButton } from "@mantine/core";
import { createContext, useContext, useRef, useState } from "react";
import { commandFor } from "./command-for.ts";
import "./command-line.css";

/** The name of the cluster that commands are for. */
export const CommandCluster = createContext("");

/** A command to copy with one press, for the cluster that is shown. Where the browser does not allow that, the text is selected instead. */
export function CommandLine({
  command: words,
  label,
}: {
  readonly command: string;
  readonly label?: string;
}) {
  const command = commandFor(words, useContext(CommandCluster));
  const code = useRef<HTMLElement>(null);
  const [outcome, setOutcome] = useState<"copied" | "selected" | undefined>();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command);
      setOutcome("copied");
    } catch {
      if (code.current) globalThis.getSelection()?.selectAllChildren(code.current);
      setOutcome("selected");
    }
    setTimeout(() => setOutcome(undefined), 2000);
  };
  return (
    <span className="command-line">
      <code ref={code}>{command}</code>
      <UnstyledButton
        className="command-line-copy"
        aria-label={`Copy ${label ?? command}`}
        onClick={() => void copy()}
      >
        <span aria-live="polite">
          {outcome === undefined ? "Copy" : outcome === "copied" ? "Copied" : "Ctrl+C"}
        </span>
      </UnstyledButton>
    </span>
  );
}

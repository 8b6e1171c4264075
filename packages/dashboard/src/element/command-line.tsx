import { UnstyledButton } from "@mantine/core";
import { useRef, useState } from "react";
import "./command-line.css";

/** A command to copy with one press. Where the browser does not allow that, the text is selected instead. */
export function CommandLine({ command, label }: { readonly command: string; readonly label?: string }) {
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

import { CommandLine } from "../element/command-line.tsx";
import "./first-steps.css";

const steps = [
  {
    title: "Run a container on every machine",
    command: "keel run IMAGE --name web -n 3 -p 8080",
    note: "Any image; three replicas, spread.",
  },
  {
    title: "Or start a unit file of your own",
    command: "keel start ./hello.container",
    note: "A Quadlet file or any systemd unit, unchanged.",
  },
  {
    title: "Then pull the plug on a machine",
    command: "keel machine kill m2",
    note: "Its work appears elsewhere within seconds.",
  },
] as const;

/** What to do when there is nothing yet. */
export function FirstSteps() {
  return (
    <ol className="first-steps">
      {steps.map(({ title, command, note }) => (
        <li key={command}>
          <span className="first-steps-words">
            <strong>{title}</strong>
            <span className="mute">{note}</span>
          </span>
          <CommandLine command={command} />
        </li>
      ))}
    </ol>
  );
}

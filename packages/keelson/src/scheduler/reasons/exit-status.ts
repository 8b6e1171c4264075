// What the ways in which a process ends usually mean. Sources: systemd.exec(5), "Process exit codes"; podman-run(1),
// "Exit status"; the shells' custom of 128 plus the signal.

const statuses: Readonly<Record<number, string>> = {
  1: "the program itself gave up",
  2: "the program was called wrongly, or gave up",
  125: "podman could not run the container",
  126: "the program is there and cannot be run",
  127: "the program was not found",
  134: "it aborted itself",
  137: "it was killed, perhaps for want of memory",
  139: "it reached for memory that is not its own",
  143: "it was asked to end",
  200: "its WorkingDirectory= is not there",
  203: "the program is not there or cannot be run",
  204: "its processes could not be made: no memory",
  208: "its standard input could not be set up",
  209: "its standard output could not be set up",
  216: "its Group= is not known",
  217: "its User= is not known",
  218: "its capabilities could not be set",
  226: "its namespaces could not be set up: a path that it names may be missing",
  233: "its RuntimeDirectory= could not be made",
  238: "its StateDirectory= could not be made",
};

const signals: Readonly<Record<string, string>> = {
  SIGKILL: "killed from outside, perhaps for want of memory",
  SIGSEGV: "it reached for memory that is not its own",
  SIGABRT: "it aborted itself",
  SIGTERM: "it was asked to end",
  SIGBUS: "a file that it uses was cut short, or memory failed",
  SIGILL: "it has instructions that this processor does not know",
  SIGFPE: "it divided by zero",
};

/** What "exit status 203: …" or "killed by SIGKILL" means; undefined when there is nothing to add. */
export function explainEnd(reason: string): string | undefined {
  const status = /\bexit status (\d{1,3})\b/.exec(reason)?.[1];
  if (status !== undefined) return statuses[Number(status)];
  const signal = /\bkilled by (SIG[A-Z0-9]+)\b/.exec(reason)?.[1];
  if (signal !== undefined) return signals[signal];
  return reason.includes("out of memory")
    ? "it took more memory than MemoryMax= or the machine allows"
    : undefined;
}

import type { Register } from "../../invocation.ts";

/** `keel store serve`: a store by itself, with etcd's own flags and environment. */
export const registerServe: Register = (group, act) => {
  const command = group
    .command("serve")
    .description("Serve a store by itself. Takes etcd’s own flags and environment variables.")
    .usage("[etcd flags]")
    .argument("[flags...]", "etcd’s flags; keel store serve --help lists them")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions();
  act(command, async ({ terminal, signal }, flags) => {
    const { runStore } = await import("@keelson/etcd/command");
    return runStore(flags, {
      program: "keel store serve",
      environment: terminal.env,
      out: (text) => terminal.out(text),
      err: (text) => terminal.err(text),
      signal,
    });
  });
};

import { connect } from "node:net";
import { KeelError, exitCode } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("fd-forward")
    .argument("<socket>", "the path of a Unix socket")
    .description(
      "Join standard input and output to a Unix socket. fleetctl --tunnel calls it on the host of the tunnel.",
    );
  act(command, async ({ signal }, [path = ""]) => {
    const socket = connect({ path, allowHalfOpen: true });
    const stop = (): void => void socket.destroy();
    signal.addEventListener("abort", stop, { once: true });
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.once("close", () => resolve());
      });
    } catch (cause) {
      throw new KeelError("KEEL-601", `${path}: ${(cause as Error).message}`, { cause });
    } finally {
      signal.removeEventListener("abort", stop);
      process.stdin.unpipe(socket).destroy();
    }
    return exitCode.done;
  });
};

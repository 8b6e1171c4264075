import { KeelError } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import { version } from "../../base/version.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("version")
    .description("Print the version of keel, and of the daemon if one answers.");
  act(command, async ({ daemon, output }) => {
    const keeld = await daemon()
      .then((client) => client.health())
      .then((health) => health.version)
      .catch((error: unknown) => {
        if (error instanceof KeelError && error.code === "KEEL-601") return null;
        throw error;
      });
    output.document(
      { keel: version, node: process.versions.node, keeld },
      () => `keel ${version} (Node ${process.versions.node})\n${keeld === null ? "" : `keeld ${keeld}\n`}`,
    );
  });
};

// Writes src/proto/generated from the .proto files beside it. Run by `npm run generate`; the result is
// committed, so only a change of a .proto file needs protoc (Debian: protobuf-compiler).
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const protoDir = path.join(import.meta.dirname, "../src/proto");
const outDir = path.join(protoDir, "generated");
const plugin = path.join(
  path.dirname(createRequire(import.meta.url).resolve("@bufbuild/protoc-gen-es/package.json")),
  "bin/protoc-gen-es",
);
const sources = globSync("**/*.proto", { cwd: protoDir }).sort();

rmSync(outDir, { recursive: true, force: true });
mkdirSync(outDir, { recursive: true });
try {
  execFileSync(
    "protoc",
    [
      `--proto_path=${protoDir}`,
      `--plugin=protoc-gen-es=${plugin}`,
      `--es_out=${outDir}`,
      "--es_opt=target=ts,erasable_syntax=true,import_extension=ts",
      ...sources,
    ],
    { stdio: "inherit" },
  );
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  console.error("protoc is not installed. On Debian or Ubuntu: apt-get install protobuf-compiler");
  process.exitCode = 1;
}

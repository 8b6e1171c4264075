// The example's image, made of Debian's static busybox and the files of this folder, without any registry.
// The same busybox makes the same bytes.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTar } from "./tar.ts";
import type { TarEntry } from "./tar.ts";

export const helloImage = "localhost/hello:latest";

const tools = [
  "sh",
  "httpd",
  "sed",
  "cat",
  "cp",
  "date",
  "hostname",
  "kill",
  "ls",
  "mktemp",
  "printf",
  "ps",
  "sleep",
  "wget",
];
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * The image as a Docker archive, as `podman load` and `keel image load` take it.
 * @param busybox path of a statically linked busybox
 */
export async function buildHelloImage(busybox: string, architecture: string = process.arch): Promise<Buffer> {
  const layer = writeTar(await layerEntries(busybox));
  const layerId = sha256(layer);
  const config = Buffer.from(
    JSON.stringify({
      architecture: architectures[architecture] ?? architecture,
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: {
        Cmd: ["/bin/hello"],
        Env: ["PATH=/bin"],
        ExposedPorts: { "8080/tcp": {} },
        User: "65534:65534",
        WorkingDir: "/",
      },
      rootfs: { type: "layers", diff_ids: [`sha256:${layerId}`] },
      history: [{ created: "1970-01-01T00:00:00Z", created_by: "examples/hello/image.ts" }],
    }),
  );
  const configName = `${sha256(config)}.json`;
  const layerName = `${layerId}.tar`;
  const manifest = Buffer.from(
    JSON.stringify([{ Config: configName, RepoTags: [helloImage], Layers: [layerName] }]),
  );
  const file = (path: string, data: Uint8Array): TarEntry => ({ kind: "file", path, data, mode: 0o644 });
  return writeTar([file("manifest.json", manifest), file(configName, config), file(layerName, layer)]);
}

async function layerEntries(busybox: string): Promise<readonly TarEntry[]> {
  const own = (name: string): Promise<Uint8Array> => readFile(join(import.meta.dirname, name));
  const folder = (path: string, mode = 0o755): TarEntry => ({ kind: "folder", path, mode });
  const file = (path: string, data: Uint8Array, mode = 0o644): TarEntry => ({
    kind: "file",
    path,
    data,
    mode,
  });
  return [
    folder("bin"),
    file("bin/busybox", await readFile(busybox), 0o755),
    file("bin/hello", await own("hello.sh"), 0o755),
    ...tools.map((name): TarEntry => ({ kind: "link", path: `bin/${name}`, target: "busybox" })),
    folder("etc"),
    file("etc/passwd", Buffer.from("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")),
    folder("tmp", 0o1777),
    folder("www"),
    file("www/index.html", await own("www/index.html")),
    file("www/style.css", await own("www/style.css")),
  ];
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

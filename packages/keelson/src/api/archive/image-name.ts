// The full names under which podman knows an archive's images after it has loaded them.
import { damaged } from "./tar.ts";

const namePattern =
  /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Of a docker-archive's tag: a name without a registry is Docker's own, as docker wrote it. */
export function archiveName(tag: string): string {
  const full = withTag(tag);
  const path = hasRegistry(full)
    ? full
    : full.includes("/")
      ? `docker.io/${full}`
      : `docker.io/library/${full}`;
  return checked(path);
}

/** Of an OCI archive's annotations: the full name if the writer gave it, else its reference under localhost. */
export function ociName(annotations: Readonly<Record<string, string>>): string | undefined {
  const name = annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
  if (name === undefined || name === "") return undefined;
  const full = withTag(name);
  return checked(hasRegistry(full) ? full : `localhost/${full}`);
}

function withTag(name: string): string {
  return /:[^/]*$/.test(name) ? name : `${name}:latest`;
}

/** As in Docker's grammar: the part before the first slash is a registry if it has a dot or a port, or is localhost. */
function hasRegistry(name: string): boolean {
  const slash = name.indexOf("/");
  const first = name.slice(0, slash);
  return slash > 0 && (first === "localhost" || /[.:]/.test(first));
}

function checked(name: string): string {
  if (name.length > 400 || !namePattern.test(name))
    throw damaged(`has an image of the name "${name.slice(0, 100)}"`);
  return name;
}

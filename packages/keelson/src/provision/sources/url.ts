// `keelson.cloud-config=URL` on the kernel's command line, and CoreOS's `cloud-config-url=URL`.
import { AskedService } from "./asked-service.ts";
import { KeelError } from "../../base/errors.ts";
import { maxUserData } from "./source.ts";
import type { Source } from "./source.ts";

export const commandLineUrl: Source = {
  kind: "url",
  isLocal: false,
  isThere: ({ commandLine }) => urlIn(commandLine) !== undefined,
  async read(asking) {
    const url = urlIn(asking.facts.commandLine);
    if (url === undefined) return undefined;
    const where = `${url.origin}${url.pathname}`;
    if (url.username !== "" || url.password !== "")
      throw new KeelError(
        "KEEL-842",
        `${where}: a password on the kernel's command line can be read by everyone`,
      );
    const service = new AskedService(asking, url.origin, "the kernel's command line");
    const userData = await service.get(`${url.pathname}${url.search}`, {
      maxBytes: maxUserData,
      redirects: 3,
    });
    if (userData === undefined) throw new KeelError("KEEL-842", `${where}: there is nothing (404)`);
    return { kind: "url", where, userData, keys: [], addresses: {} };
  },
};

/** The last one counts, as everywhere on the command line. */
export function urlIn(commandLine: string): URL | undefined {
  const found = [
    ...commandLine.matchAll(/(?:^|\s)(?:keelson\.cloud-config|cloud-config-url)="?([^\s"]{1,2048})/g),
  ];
  const text = found.at(-1)?.[1];
  if (text === undefined || !/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text);
}

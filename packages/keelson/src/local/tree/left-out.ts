// What libraries bring along and Keelson never calls. Each would be read and parsed at every start.
import type { Plugin } from "rolldown";

/** By name, with the reason. Asking one of them for anything throws an error that names it. */
export const leftOut: Readonly<Record<string, string>> = {
  "@grpc/proto-loader": "grpc-js wants it for channelz and load reports, which nothing here serves",
  xmlbuilder: "xml2js writes XML with it; dbus-native only reads",
};

const mark = "\0left-out:";

/** Puts a module that only refuses in the place of each. */
export function leaveOut(names: Readonly<Record<string, string>> = leftOut): Plugin {
  return {
    name: "leave-out",
    resolveId: (source) => (Object.hasOwn(names, source) ? mark + source : undefined),
    load(id) {
      if (!id.startsWith(mark)) return undefined;
      const words = JSON.stringify(`${id.slice(mark.length)} is left out of this program`);
      return `module.exports = new Proxy({}, { get() { throw new Error(${words}); } });`;
    },
  };
}

// Node's own modules in a bundle. An `import` of one reads everything that it exports, and with that loads what is
// meant to be loaded when it is used: `node:http` alone brings `fetch` and its fifteen thousand lines. So does a
// `require` in what was CommonJS. Asking for a module and taking only what is wanted leaves that where it is.
import { isBuiltin } from "node:module";
import type { Plugin } from "rolldown";

/** `import name, { a as b } from "node:x";`, `import * as name from "node:x";`, each a line of its own. */
const builtinImport = /^import (?:(\* as )?([\w$]+))?(?:, )?(?:\{ ([\w$, ]+) \})? from "(node:[\w/]+)";$/gm;

/** What the bundler makes of `require("x")` in CommonJS. */
const builtinRequire = /\b__require\("([\w:/]+)"\)/g;

/** Puts `process.getBuiltinModule()` in place of a bundle's imports of `node:…`. */
export function askForBuiltins(): Plugin {
  return { name: "ask-for-builtins", renderChunk: (code) => withoutBuiltinImports(code) };
}

/** The text of a module, what it imports and requires of Node's own modules replaced. Other forms stay as they are. */
export function withoutBuiltinImports(code: string): string {
  const asking = code.replaceAll(builtinRequire, (whole: string, module: string) =>
    isBuiltin(module) ? `globalThis.process.getBuiltinModule("${module}")` : whole,
  );
  return asking.replaceAll(
    builtinImport,
    (_, _star: string | undefined, whole?: string, names?: string, module = "") => {
      const asked = `globalThis.process.getBuiltinModule("${module}")`;
      const parts = names === undefined ? [] : [`{ ${names.replaceAll(" as ", ": ")} } = ${asked}`];
      return `const ${[...(whole === undefined ? [] : [`${whole} = ${asked}`]), ...parts].join(", ")};`;
    },
  );
}

#!/usr/bin/env node
// `keel`. Commands live one to a file under commands/ and are loaded only when they are the one that was typed.
import { basename } from "node:path";
import { run } from "./program.ts";
import { processTerminal } from "./terminal.ts";

const [, self = "", ...words] = process.argv;
// Under the name fleetctl it speaks as fleetctl did.
const argv = basename(self) === "fleetctl" ? ["fleetctl", ...words] : words;
process.exitCode = await run(argv, processTerminal());

#!/usr/bin/env node
// `keel`. Commands live one to a file under commands/ and are loaded only when they are the one that was typed.
import { run } from "./program.ts";
import { processTerminal } from "./terminal.ts";

process.exitCode = await run(process.argv.slice(2), processTerminal());

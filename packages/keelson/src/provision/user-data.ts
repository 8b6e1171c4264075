// User data as clouds hand it out: a configuration as it is, packed with gzip, or one part of a MIME message.
// Scripts are refused: what a machine does stands in units, which are supervised, can be stopped, and are seen.
import { readCloudConfig, isCloudConfig } from "./cloud-config/read-cloud-config.ts";
import type { Reading } from "./cloud-config/read-cloud-config.ts";
import { isIgnition, readIgnition } from "./ignition.ts";
import { emptyConfig } from "./machine-config.ts";
import { isMultipart, partsOf } from "./multipart.ts";
import { maxConfigBytes } from "./reading/document.ts";
import { isGzip, unzip } from "./reading/encoding.ts";

/** User data before it is unpacked; the largest that a cloud hands out is 256 KiB. */
export const maxUserDataBytes = 512 << 10;

/** Never throws: whatever is wrong is a finding. */
export function readUserData(bytes: Uint8Array): Reading {
  if (bytes.length > maxUserDataBytes)
    return refused("the user data is larger than 512 KiB", "Put large contents on a server or a disk.");
  const plain = isGzip(bytes) ? unzip(bytes, maxUserDataBytes) : Buffer.from(bytes);
  if (plain === undefined)
    return refused("the gzip is damaged, or more than 512 KiB unpacked", "Pack the configuration again.");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch {
    return refused("the user data is no UTF-8 text", "Write a #cloud-config or Ignition's JSON.");
  }
  return readText(text, true);
}

function readText(text: string, mayBeMessage: boolean): Reading {
  if (isCloudConfig(text)) return readCloudConfig(text);
  if (isIgnition(text)) return readIgnition(text);
  if (text.startsWith("#!"))
    return refused(
      "scripts are not run",
      "Write a #cloud-config with a unit: Type=oneshot and ExecStart= of what the script does.",
    );
  if (mayBeMessage && isMultipart(text)) return readMessage(text);
  if (text.trim() === "") return { language: "cloud-config", config: emptyConfig, findings: [] };
  if (Buffer.byteLength(text) > maxConfigBytes)
    return refused("the configuration is larger than 256 KiB", "Put large contents on a server or a disk.");
  return refused(
    "is neither a cloud-config nor Ignition’s",
    "Begin with the line #cloud-config, or with a JSON object that has `ignition`.",
  );
}

function readMessage(text: string): Reading {
  const parts = partsOf(text);
  if (typeof parts === "string")
    return refused(parts, "Make the message again, or send the cloud-config alone.");
  const configs = parts.filter(({ text: part }) => isCloudConfig(part) || isIgnition(part));
  const [only] = configs;
  if (only === undefined || configs.length > 1)
    return refused(
      `the message has ${configs.length === 0 ? "no" : "more than one"} part that is a configuration`,
      "Send exactly one #cloud-config.",
    );
  const reading = readText(only.text, false);
  const findings = reading.findings.map((finding) => ({
    ...finding,
    line: finding.line + only.firstLine - 1,
  }));
  const others = parts
    .filter((part) => part !== only)
    .map(({ firstLine, type }) => ({
      severity: "warning" as const,
      path: "",
      message: `a part of the message is not applied: ${type}`,
      remedy: "Put what it does into the cloud-config, as a unit or a file.",
      line: firstLine,
      column: 1,
    }));
  return { ...reading, findings: [...findings, ...others].toSorted((a, b) => a.line - b.line) };
}

function refused(message: string, remedy: string): Reading {
  return {
    language: "cloud-config",
    findings: [{ severity: "error", path: "", message, remedy, line: 1, column: 1 }],
  };
}

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option } from "commander";
import { KeelError } from "../../../../base/errors.ts";
import { channelEnvelope, readPointer } from "../../../../releases/channel.ts";
import type { ChannelPointer } from "../../../../releases/channel.ts";
import { checkRole } from "../../../../releases/root.ts";
import type { Root } from "../../../../releases/root.ts";
import { accepted } from "../../../../releases/refusal.ts";
import { verifyManifest } from "../../../../releases/release.ts";
import { channelFileName } from "../../../../releases/machine.ts";
import type { Invocation, Register } from "../../../invocation.ts";
import { nowOf, readBytes, readDocument, readTrust, signNew, writeDocument } from "./document-file.ts";
import { documentText } from "./document-text.ts";
import { withKeys } from "./key-file.ts";
import type { KeyOptions } from "./key-file.ts";
import { dayCount } from "./numbers.ts";

interface ChannelOptions extends KeyOptions {
  readonly channel?: string;
  readonly to?: string;
  readonly days?: string;
  readonly trust?: string;
}

const days = new Option("--days <number>", "until it expires (7)");
const trust = new Option("--trust <file>", "a root; those that follow it are taken from its folder");

export const registerChannel: Register = (release, act) => {
  const group = release.command("channel").description("What a channel’s machines should have.");

  const point = group
    .command("point")
    .argument("<manifest>", "a signed manifest")
    .requiredOption("--channel <name>", "stable, beta, …")
    .requiredOption("--to <folder>", "where pointers lie: the one before says which number comes next")
    .addOption(days)
    .addOption(trust)
    .description("Point a channel at a release.");
  act<ChannelOptions>(withKeys(point), async (keel, [word = ""], options) => {
    const root = await readTrust(keel, options.trust);
    const bytes = await readBytes(resolve(keel.terminal.cwd, word));
    const { manifest, sha256 } = accepted(verifyManifest(bytes, { trust: root, now: nowOf(keel) }));
    const { product, variant, architecture, version, epoch } = manifest;
    const channel = options.channel ?? "";
    const file = join(
      resolve(keel.terminal.cwd, options.to ?? ""),
      channelFileName(channel, { variant, architecture }),
    );
    const last = existsSync(file) ? readPointer(await readDocument(file, "channel")) : undefined;
    const target = { product, channel, variant, architecture, version, epoch, manifest: sha256 };
    await issue(
      keel,
      { file, root, pointer: { schema: 1, ...target, ...moments(keel, options, { root, last }) } },
      options,
    );
  });

  const renew = group
    .command("renew")
    .argument("<pointer>", "the pointer’s file")
    .addOption(days)
    .addOption(trust)
    .description("Sign a pointer again before it expires.");
  act<ChannelOptions>(withKeys(renew), async (keel, [word = ""], options) => {
    const root = await readTrust(keel, options.trust);
    const file = resolve(keel.terminal.cwd, word);
    const last = readPointer(await readDocument(file, "channel"));
    await issue(
      keel,
      { file, root, pointer: { ...last, ...moments(keel, options, { root, last }) } },
      options,
    );
  });
};

function moments(
  keel: Invocation,
  options: ChannelOptions,
  { root, last }: { readonly root: Root; readonly last: ChannelPointer | undefined },
): Pick<ChannelPointer, "issued" | "expires" | "generation" | "counter"> {
  const issued = nowOf(keel);
  const { generation } = root;
  const counter = last !== undefined && last.generation === generation ? last.counter + 1 : 0;
  return { issued, expires: issued + dayCount(options.days, 7), generation, counter };
}

async function issue(
  keel: Invocation,
  { file, root, pointer }: { readonly file: string; readonly root: Root; readonly pointer: ChannelPointer },
  options: KeyOptions,
): Promise<void> {
  const plain = channelEnvelope(pointer);
  readPointer(plain);
  const envelope = await signNew(keel, plain, options);
  try {
    checkRole(envelope, root, "channel");
  } catch (cause) {
    throw new KeelError("KEEL-822", "these keys are not the channel role’s", {
      cause,
      hint: "keel os root show FILE",
    });
  }
  await writeDocument(file, envelope);
  keel.output.document({ path: file, pointer }, () => documentText(envelope));
}

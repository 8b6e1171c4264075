import { resolve } from "node:path";
import { describeError, KeelError } from "../../base/errors.ts";
import { createLog } from "../../base/log.ts";
import type { Log } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { formatDuration } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { renderTable } from "../table.ts";
import type { Column } from "../table.ts";

interface ServeOptions {
  readonly listen?: string;
  readonly dataDir?: string;
  readonly endpoints?: string;
  readonly publicUrl?: string;
  readonly tokenSeconds?: string;
}

interface MemberRow {
  readonly id: string;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isOfCluster: boolean;
}

const defaultService = "http://127.0.0.1:8087";
const answerWithinMs = 5000;

export const register: Register = (program, act) => {
  const group = program
    .command("discovery")
    .description("A meeting place for the members of an etcd cluster that is being made.");
  const serve = group
    .command("serve")
    .option("--listen <address>", "host:port, several with commas (0.0.0.0:8087)")
    .option("--data-dir <folder>", "keep the tokens here, in a store of its own (./keelson-discovery)")
    .option("--endpoints <urls>", "keep the tokens in this etcd, http://host:port, several with commas")
    .option("--public-url <url>", "what the URLs of tokens begin with; by default what the client called")
    .option("--token-seconds <number>", "how long a token lives (86400)")
    .description("Serve discovery until it is ended.");
  act<ServeOptions>(serve, (keel, _args, options) => serveDiscovery(keel, options));

  const make = group
    .command("new")
    .option("--size <number>", "how many members the cluster is to have (3)")
    .option("--service <url>", `the discovery service (KEEL_DISCOVERY, ${defaultService})`)
    .description("Make a token, and print the URL for etcd --discovery.");
  act<{ readonly size?: string; readonly service?: string }>(make, async (keel, _args, options) => {
    const size = wholeNumber(options.size ?? "3", "--size");
    const service = serviceUrl(keel, options.service);
    const { status, body } = await ask(keel, `${service}/new?size=${size}`);
    if (status !== 200) throw new KeelError("KEEL-104", body.trim() || `the service answered ${status}`);
    keel.output.document({ url: body.trim() }, () => `${body.trim()}\n`);
  });

  const show = group
    .command("show")
    .argument("<token>", "a token, or its URL")
    .option(
      "--service <url>",
      `where the token was made, if it is no URL (KEEL_DISCOVERY, ${defaultService})`,
    )
    .description("Say who has come to a token.");
  act<{ readonly service?: string }>(show, async (keel, [word = ""], options) => {
    const url = word.includes("://")
      ? word.replace(/\/+$/, "")
      : `${serviceUrl(keel, options.service)}/${word}`;
    const state = await readToken(keel, url);
    keel.output.document({ url, ...state }, () => inWords(state));
  });
};

const columns: readonly Column<MemberRow>[] = [
  { name: "member", cell: (row) => row.id },
  { name: "name", cell: (row) => row.name },
  { name: "peer urls", cell: (row) => row.peerUrls.join(",") },
  { name: "of the cluster", cell: (row) => (row.isOfCluster ? "yes" : "no: came too late") },
];

async function serveDiscovery(keel: Invocation, options: ServeOptions): Promise<void> {
  if (options.dataDir !== undefined && options.endpoints !== undefined) {
    throw new KeelError("KEEL-104", "--data-dir and --endpoints exclude each other");
  }
  const { DiscoveryService } = await import("../../discovery/service.ts");
  const log = createLog((line) => keel.terminal.err(line));
  const listen = (options.listen ?? "0.0.0.0:8087").split(",").map(address);
  const publicUrl = options.publicUrl === undefined ? undefined : origin(options.publicUrl);
  const tokenSeconds = wholeNumber(options.tokenSeconds ?? "86400", "--token-seconds");
  const { clock } = keel;
  await using opened = new AsyncDisposableStack();
  const keys = await openKeys(keel, { options, log, opened });
  const limits = { tokenSeconds };
  const service = opened.use(await DiscoveryService.start({ keys, listen, publicUrl, limits, clock, log }));
  for (const { host, port } of service.listening) {
    const shown = host.includes(":") ? `[${host}]` : host;
    keel.output.document(
      { ready: true, host, port },
      () => `ready to serve client requests on http://${shown}:${port}\n`,
    );
  }
  await new Promise<void>((ended) => {
    if (keel.signal.aborted) ended();
    keel.signal.addEventListener("abort", () => ended(), { once: true });
  });
  log.info("the discovery service ends");
}

async function openKeys(
  keel: Invocation,
  given: { readonly options: ServeOptions; readonly log: Log; readonly opened: AsyncDisposableStack },
) {
  const { options, log, opened } = given;
  if (options.endpoints !== undefined) {
    const { EtcdStore } = await import("../../registry/etcd-store.ts");
    const endpoints = options.endpoints.split(",").map(origin);
    return opened.use(new EtcdStore({ endpoints, clock: keel.clock, random: systemRandom, log })).keys;
  }
  const { EtcdServer } = await import("@keelson/etcd/server");
  const dataDir = resolve(keel.terminal.cwd, options.dataDir ?? "keelson-discovery");
  try {
    const server = await EtcdServer.start({
      dataDir,
      // Nobody but this process uses it.
      listen: [],
      log: (level, message, fields) => log[level](message, fields),
    });
    return opened.use(server).keys;
  } catch (cause) {
    throw new KeelError("KEEL-106", `the store in ${dataDir} cannot be used: ${describeError(cause)}`, {
      cause,
    });
  }
}

/** What a token's URL answers. */
async function readToken(keel: Invocation, url: string) {
  const size = await ask(keel, `${url}/_config/size`);
  const members = await ask(keel, url);
  if (size.status === 404 || members.status === 404) {
    throw new KeelError("KEEL-521", `${url} is not known: it may have been forgotten`, {
      hint: "keel discovery new makes another",
    });
  }
  const { readMember } = await import("../../discovery/tokens.ts");
  try {
    const wanted = Number((JSON.parse(size.body) as Answer).node.value);
    const { nodes = [], ttl } = (JSON.parse(members.body) as Answer).node;
    const rows = nodes
      .toSorted((a, b) => a.createdIndex - b.createdIndex)
      .map((node, place): MemberRow => {
        const member = readMember(node.key.slice(node.key.lastIndexOf("/") + 1), node.value ?? "");
        return { ...member, isOfCluster: place < wanted };
      });
    return { size: wanted, secondsLeft: ttl, members: rows };
  } catch (cause) {
    throw new KeelError("KEEL-601", `${url} answers, but not as a discovery service does`, { cause });
  }
}

interface Answer {
  readonly node: AnsweredNode & { readonly nodes?: readonly AnsweredNode[]; readonly ttl?: number };
}

interface AnsweredNode {
  readonly key: string;
  readonly value?: string;
  readonly createdIndex: number;
}

function inWords(state: Awaited<ReturnType<typeof readToken>>): string {
  const { size, members, secondsLeft } = state;
  const missing = Math.max(0, size - members.length);
  const who = missing === 0 ? "all have come" : `${missing} still to come`;
  const left = secondsLeft === undefined ? "" : `; forgotten in ${formatDuration(secondsLeft * 1000)}`;
  return `a cluster of ${size}: ${who}${left}\n${members.length === 0 ? "" : renderTable(columns, members)}`;
}

async function ask(
  keel: Invocation,
  url: string,
): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const signal = AbortSignal.any([keel.signal, AbortSignal.timeout(answerWithinMs)]);
    const response = await fetch(url, { signal, redirect: "error" });
    return { status: response.status, body: await boundedText(response) };
  } catch (cause) {
    throw new KeelError("KEEL-601", `no discovery service answers at ${url}: ${describeError(cause)}`, {
      cause,
      hint: "keel discovery serve runs one",
    });
  }
}

async function boundedText(response: Response): Promise<string> {
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > 1 << 20) throw new Error("the answer is longer than 1 MiB");
  }
  return text;
}

function serviceUrl(keel: Invocation, given: string | undefined): string {
  return origin(given ?? keel.terminal.env["KEEL_DISCOVERY"] ?? defaultService);
}

function origin(text: string): string {
  if (!/^https?:\/\/[^/\s]+\/?$/.test(text) || !URL.canParse(text))
    throw new KeelError("KEEL-104", `"${text}" is no URL of the form http://host:port`);
  return text.replace(/\/$/, "");
}

function address(text: string): { readonly host: string; readonly port: number } {
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65_535)
    throw new KeelError("KEEL-104", `"${text}" is not of the form host:port`);
  return { host: found[1] ?? found[2] ?? "", port };
}

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new KeelError("KEEL-104", `${option} wants a whole number from 1 on, not "${text}"`);
  return Number(text);
}

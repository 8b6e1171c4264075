import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import {
  OmahaError,
  answerTo,
  compareVersions,
  decodeFailure,
  describeEvent,
  noUpdate,
  parseVersion,
  plainId,
  printResponse,
  readRequest,
  requestLimits,
  stageOf,
} from "@keelson/omaha";
import type { OmahaApp, OmahaUpdateAnswer } from "@keelson/omaha";

const application = "e96281a6-d1af-4bde-9a0a-97b76e56dc57";
const newest = "2.0.0";

const update: OmahaUpdateAnswer = {
  status: "ok",
  urls: [{ codebase: "http://127.0.0.1:8080/payloads/" }],
  manifests: [
    {
      version: newest,
      packages: [{ name: "update.gz", size: 6_310_131, required: true }],
      actions: [
        {
          event: "postinstall",
          sha256: "fbJNPvKoDEznyDjxU/sAIZh4bpddJWK7NT0Ry5d+c4M=",
          disablePayloadBackoff: true,
        },
      ],
    },
  ],
};

const isOlder = (version = ""): boolean => {
  const [theirs, ours] = [parseVersion(version), parseVersion(newest)];
  return theirs !== undefined && ours !== undefined && compareVersions(theirs, ours) < 0;
};

function answer(app: OmahaApp): ReturnType<typeof answerTo> {
  if (plainId(app.id) !== application) return { ...answerTo(app), status: "error-unknownApplication" };
  return answerTo(app, isOlder(app.version) ? update : noUpdate);
}

function record(app: OmahaApp, log: (line: string) => void): void {
  for (const event of app.events) {
    log(`${app.machineId} ${describeEvent(event)} (${stageOf(event)})`);
    if (event.errorCode !== undefined) log(decodeFailure(event.errorCode).meaning);
  }
}

/** The body, or undefined when it is longer than a request may be. */
async function bodyOf(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > requestLimits.bytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const body = await bodyOf(incoming);
  if (body === undefined) return void outgoing.writeHead(413).end();
  try {
    const request = readRequest(body);
    for (const app of request.apps) record(app, log);
    const apps = request.apps.map(answer);
    const text = printResponse({ protocol: "3.0", server: "example", apps });
    outgoing.writeHead(200, { "content-type": "text/xml" }).end(text);
  } catch (error) {
    if (!(error instanceof OmahaError)) throw error;
    log(`unreadable: ${error.code} ${error.message}`);
    outgoing.writeHead(400, { "content-type": "text/plain" }).end(`${error.message}\n`);
  }
}

export function exampleServer(log: (line: string) => void): Server {
  return createServer((incoming, outgoing) => {
    serve(incoming, outgoing, log).catch(() => outgoing.destroy());
  });
}

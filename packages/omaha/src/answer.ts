// What every answer owes the request: each application with its id as it was sent, each ping and each event heard.
import type { OmahaApp } from "./request.ts";
import type { OmahaAppAnswer, OmahaUpdateAnswer } from "./response.ts";

/** There is nothing to install, whatever the reason; the reason is the server's to keep. */
export const noUpdate: OmahaUpdateAnswer = { status: "noupdate", urls: [], manifests: [] };

const heard = { status: "ok" } as const;

/**
 * The answer to one application. The update is left out when the application did not ask for one, as
 * update_engine does when it only reports an event; by default there is none.
 */
export function answerTo(app: OmahaApp, update: OmahaUpdateAnswer = noUpdate): OmahaAppAnswer {
  return {
    id: app.id,
    status: "ok",
    ...(app.ping ? { ping: heard } : {}),
    ...(app.updateCheck ? { updateCheck: update } : {}),
    events: app.events.map(() => heard),
  };
}

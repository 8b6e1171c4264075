// The other members of the cluster, remembered over a restart of the daemon: they are asked when the store is
// away, and then it is too late to read who they are.
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Host } from "../host/host.ts";
import { memberCodec } from "../model/machine.ts";
import type { Member } from "../model/machine.ts";
import type { ClusterView } from "../registry/cluster-view.ts";

const file = "members.json";

export class KnownMembers {
  readonly #host: Host;
  readonly #log: Log;
  #members: ReadonlyMap<string, Member> | undefined;
  #saved = "";

  private constructor(host: Host, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  static async open(host: Host, view: ClusterView, log: Log): Promise<KnownMembers> {
    const known = new KnownMembers(host, log);
    known.#members = readMembers(await host.readState(file));
    view.onChange(({ snapshot }) => known.#take(snapshot.members));
    if (view.isSynced) known.#take(view.snapshot.members);
    return known;
  }

  /** All but this one; undefined when they were never known. */
  others(self: string): readonly Member[] | undefined {
    return this.#members && [...this.#members.values()].filter(({ id }) => id !== self);
  }

  #take(members: ReadonlyMap<string, Member>): void {
    if (members === this.#members) return;
    this.#members = members;
    const text = JSON.stringify([...members.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
    if (text === this.#saved) return;
    this.#saved = text;
    this.#host.writeState(file, text).catch((error: unknown) => {
      this.#log.warn("the members cannot be remembered", { error: describeError(error) });
    });
  }
}

function readMembers(text: string | undefined): ReadonlyMap<string, Member> | undefined {
  try {
    const list = JSON.parse(text ?? "") as readonly unknown[];
    const members = list.map((one) => memberCodec.decode(file, Buffer.from(JSON.stringify(one))));
    return new Map(members.map((member) => [member.id, member]));
  } catch {
    return undefined;
  }
}

/** An alarm that a member has raised. */
export interface RaisedAlarm {
  /** Member id. */
  readonly member: bigint;
  /** etcdserverpb.AlarmType: 1 NOSPACE, 2 CORRUPT. */
  readonly alarm: number;
}

/** The alarms that are raised. As in etcd, any number can be the id of a member. */
export class AlarmTable {
  readonly #raised: RaisedAlarm[] = [];
  #kinds: ReadonlySet<number> = new Set();

  /** Kinds of which at least one is raised. */
  get kinds(): ReadonlySet<number> {
    return this.#kinds;
  }

  /** In the order of member ids. */
  get raised(): readonly RaisedAlarm[] {
    return this.#raised;
  }

  has({ member, alarm }: RaisedAlarm): boolean {
    return this.#raised.some((other) => other.member === member && other.alarm === alarm);
  }

  raise(alarm: RaisedAlarm): void {
    if (this.has(alarm)) return;
    this.#raised.push(alarm);
    this.#raised.sort((a, b) => a.alarm - b.alarm || (a.member < b.member ? -1 : 1));
    this.#kinds = new Set(this.#raised.map((raised) => raised.alarm));
  }

  lower({ member, alarm }: RaisedAlarm): void {
    const place = this.#raised.findIndex((other) => other.member === member && other.alarm === alarm);
    if (place === -1) return;
    this.#raised.splice(place, 1);
    this.#kinds = new Set(this.#raised.map((raised) => raised.alarm));
  }
}

// What the API says of machines.
/** Of memory in bytes, and of processors. */
export interface AmountsView {
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** `lost`: remembered as a member, but its lease has run out. */
export type MachineState = "up" | "lost";

export interface MachineView {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly apiPort: number;
  readonly state: MachineState;
  readonly leader: boolean;
  /** Since when it is in the cluster without a break; of a lost machine, when it joined. */
  readonly since: number;
  readonly joined: number;
  readonly os: { readonly id: string; readonly version: string; readonly kernel: string } | null;
  readonly keeldVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly capacity: {
    readonly cpus: number;
    readonly memoryBytes: number;
    readonly unenforced: readonly string[];
  } | null;
  /** What of it is there for units; null while the machine is lost. */
  readonly allocatable: AmountsView | null;
  /** What requests may take in all: `allocatable`, as many times as overcommit says. */
  readonly room: AmountsView | null;
  /** What the units that are placed here ask for. */
  readonly requested: AmountsView;
  /** Instances that are placed here, companions not counted. */
  readonly instances: number;
  /** It takes no new units; left out when it does. */
  readonly cordoned?: true;
  /** Its units are on their way elsewhere: since when, until when, why. Left out when they are not. */
  readonly drain?: {
    readonly since: number;
    readonly deadline?: number | undefined;
    readonly reason: string;
  };
}

// What the API says of the settings of the whole cluster.
/** Settings of the whole cluster. */
export interface SettingsView {
  readonly revision: number;
  /** Moves units to machines that came back or were added, without being asked. */
  readonly autoRebalance: boolean;
  /** How many times what there is requests may take: 1 for no more than there is. */
  readonly overcommit: { readonly memory: number; readonly cpu: number };
}

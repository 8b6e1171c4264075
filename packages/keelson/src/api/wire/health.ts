// What the API says of the daemon that answers.
export interface ContactView {
  readonly machine: string;
  readonly hasContact: boolean;
  /** Since the store last answered; null if it never has. */
  readonly ageMs: number | null;
}

export interface HealthView {
  readonly cluster: string;
  readonly machine: { readonly id: string; readonly name: string; readonly address: string };
  readonly roles: readonly string[];
  readonly version: string;
  readonly contact: ContactView;
}

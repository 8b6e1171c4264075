/** A command line, environment or configuration file that cannot be followed. */
export class FlagError extends Error {
  override readonly name = "FlagError";
  /** It is not even a command line: the usage is to be shown with it. */
  readonly isUsage: boolean;

  constructor(message: string, isUsage = false) {
    super(message);
    this.isUsage = isUsage;
  }
}

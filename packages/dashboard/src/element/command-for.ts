/** `keel` asks the cluster of this name unless it is told another. */
const defaultCluster = "default";

/** The command line as it reaches the cluster of this name from any shell of its host. */
export function commandFor(words: string, cluster: string): string {
  return cluster === "" || cluster === defaultCluster ? words : `${words} --cluster ${cluster}`;
}

/** What `/` says. */
export function frontPage(url: string): string {
  return `Keelson's discovery service for etcd

An etcd cluster that is being made finds its members here: each writes itself down under the cluster's token,
and begins when all have come.

  curl '${url}/new?size=3'            a token's URL for a cluster of three
  etcd --discovery URL ...            for each member
  keel discovery show URL             who has come

A token is forgotten after a while. It is of no use to a cluster that runs.
`;
}

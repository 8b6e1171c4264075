/** keeld's configuration for a machine that is a cluster by itself, with its store inside of keeld. */
export const ownCluster = {
  cluster: "test",
  roles: ["agent", "leader", "api", "store"],
  address: "127.0.0.1",
  // As those of emulated machines that `keel up` makes.
  leaseSeconds: 30,
  leaderLeaseSeconds: 20,
  store: {
    endpoints: ["http://127.0.0.1:2379"],
    listen: [{ host: "127.0.0.1", port: 2379 }],
    dataDir: "/var/lib/keelson/store",
  },
};

// Where everything lies in the store. Names are percent-free: unit names and machine ids hold no slash.

export const root = "/keelson/";

export const prefixes = {
  machines: `${root}machines/`,
  members: `${root}members/`,
  units: `${root}units/`,
  bodies: `${root}bodies/`,
  schedule: `${root}schedule/`,
  status: `${root}status/`,
  leader: `${root}leader/`,
  operations: `${root}operations/`,
  images: `${root}images/`,
  cluster: `${root}cluster/`,
  store: `${root}store/`,
  machineSettings: `${root}settings/machines/`,
  moves: `${root}moves/`,
  rollouts: `${root}rollouts/`,
  versions: `${root}versions/`,
  jobs: `${root}jobs/`,
  timers: `${root}timers/`,
  systemOrders: `${root}system/orders/`,
  systemReports: `${root}system/reports/`,
  updates: `${root}updates/`,
  updateApplications: `${root}updates/applications/`,
  updatePackages: `${root}updates/packages/`,
  updateChannels: `${root}updates/channels/`,
  updateGroups: `${root}updates/groups/`,
} as const;

export const keys = {
  machine: (id: string) => prefixes.machines + id,
  member: (id: string) => prefixes.members + id,
  unit: (name: string) => prefixes.units + name,
  body: (hash: string) => prefixes.bodies + hash,
  scheduleOf: (machine: string) => `${prefixes.schedule}${machine}/`,
  schedule: (machine: string, unit: string) => `${prefixes.schedule}${machine}/${unit}`,
  statusOf: (machine: string) => `${prefixes.status}${machine}/`,
  status: (machine: string, unit: string) => `${prefixes.status}${machine}/${unit}`,
  operation: (id: string) => prefixes.operations + id,
  machineSettings: (id: string) => prefixes.machineSettings + id,
  clusterSettings: `${root}settings/cluster`,
  move: (instance: string) => prefixes.moves + instance,
  rollout: (unit: string) => prefixes.rollouts + unit,
  versions: (unit: string) => prefixes.versions + unit,
  job: (name: string) => prefixes.jobs + name,
  timer: (name: string) => prefixes.timers + name,
  systemUpdate: `${root}system/update`,
  systemOrder: (machine: string) => prefixes.systemOrders + machine,
  systemReport: (machine: string) => prefixes.systemReports + machine,
  updateApplication: (id: string) => prefixes.updateApplications + id,
  updatePackage: (application: string, version: string, architecture: string) =>
    `${prefixes.updatePackages}${application}/${version}@${architecture}`,
  updateChannel: (application: string, name: string) => `${prefixes.updateChannels}${application}/${name}`,
  updateGroup: (application: string, name: string) => `${prefixes.updateGroups}${application}/${name}`,
  image: (name: string) => prefixes.images + encodeURIComponent(name),
  /** Set by the leader while it holds back (mass failure), removed when it goes on. */
  alarm: (name: string) => `${prefixes.cluster}alarms/${name}`,
  /** Where the store is; absent while it is where the configuration says. */
  storeLocation: `${prefixes.store}location`,
  /** The authority whose certificates the store's cluster takes. */
  storeAuthority: `${prefixes.store}authority`,
  /** A person wants this machine's member elsewhere. */
  storeReplacement: (machine: string) => `${prefixes.store}replacements/${machine}`,
  /** Order to a machine: be a member of the store, or be none any more. */
  storeMember: (machine: string) => `${prefixes.store}members/${machine}`,
  storeReport: (machine: string) => `${prefixes.store}reports/${machine}`,
  /** A machine is ready to speak to a cluster of this authority. */
  storeClient: (machine: string) => `${prefixes.store}clients/${machine}`,
  storeRequest: (machine: string, use: string) => `${prefixes.store}requests/${machine}/${use}`,
  storeCertificate: (machine: string, use: string) => `${prefixes.store}certificates/${machine}/${use}`,
} as const;

/** The part of a key behind its prefix; `undefined` for another prefix. */
export function nameIn(prefix: string, key: string): string | undefined {
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

/** Splits `<machine>/<unit>` behind a prefix. */
export function machineAndUnit(prefix: string, key: string): { machine: string; unit: string } | undefined {
  const rest = nameIn(prefix, key);
  const slash = rest?.indexOf("/") ?? -1;
  if (rest === undefined || slash <= 0 || slash === rest.length - 1) return undefined;
  return { machine: rest.slice(0, slash), unit: rest.slice(slash + 1) };
}

import { quadletSections } from "./service-name.ts";
import type { QuadletUnitType } from "../name/unit-name.ts";

const list = (names: string): readonly string[] => names.trim().split(/\s+/);

/** What podman 5.4.2's generator accepts in a section of its own, found by asking it about each key. */
export const quadletKeys: Readonly<Record<QuadletUnitType | "quadlet", readonly string[]>> = {
  container: list(`
    AddCapability AddDevice AddHost Annotation AutoUpdate CgroupsMode ContainerName ContainersConfModule DNS
    DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost Exec ExposeHostPort
    GIDMap GlobalArgs Group GroupAdd HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount
    HealthMaxLogSize HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval
    HealthStartupRetries HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName IP IP6 Image Label
    LogDriver LogOpt Mask Mount Network NetworkAlias NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort
    Pull ReadOnly ReadOnlyTmpfs RemapGid RemapUid RemapUidSize RemapUsers Rootfs RunInit SeccompProfile Secret
    SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested SecurityLabelType ServiceName
    ShmSize StartWithPod StopSignal StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit Unmask User
    UserNS VolatileTmp Volume WorkingDir`),
  pod: list(`
    AddHost ContainersConfModule DNS DNSOption DNSSearch GIDMap GlobalArgs IP IP6 Network NetworkAlias PodName
    PodmanArgs PublishPort RemapGid RemapUid RemapUidSize RemapUsers ServiceName ShmSize SubGIDMap SubUIDMap UIDMap
    UserNS Volume`),
  kube: list(`
    AutoUpdate ConfigMap ContainersConfModule ExitCodePropagation GlobalArgs KubeDownForce LogDriver LogOpt Network
    PodmanArgs PublishPort RemapGid RemapUid RemapUidSize RemapUsers ServiceName SetWorkingDirectory UserNS Yaml`),
  network: list(`
    ContainersConfModule DNS DisableDNS Driver Gateway GlobalArgs IPAMDriver IPRange IPv6 Internal Label NetworkName
    Options PodmanArgs ServiceName Subnet`),
  volume: list(`
    ContainersConfModule Copy Device Driver GlobalArgs Group Image Label Options PodmanArgs ServiceName Type User
    VolumeName`),
  build: list(`
    Annotation Arch AuthFile ContainersConfModule DNS DNSOption DNSSearch Environment File ForceRM GlobalArgs GroupAdd
    ImageTag Label Network PodmanArgs Pull Secret ServiceName SetWorkingDirectory TLSVerify Target Variant Volume`),
  image: list(`
    AllTags Arch AuthFile CertDir ContainersConfModule Creds DecryptionKey GlobalArgs Image ImageTag OS PodmanArgs
    ServiceName TLSVerify Variant`),
  quadlet: list("DefaultDependencies"),
};

/** The keys that podman knows in a section of a Quadlet file; undefined for sections that it does not read. */
export function keysOfSection(type: QuadletUnitType, section: string): readonly string[] | undefined {
  if (section === quadletSections[type]) return quadletKeys[type];
  return section === "Quadlet" ? quadletKeys.quadlet : undefined;
}

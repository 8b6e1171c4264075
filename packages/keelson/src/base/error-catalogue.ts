// Every error code of the product: what it means and what to do about it. docs/errors.md is checked
// against this table by a test, and `keel explain CODE` prints from it. Codes are never reused.
import type { exitCode } from "./errors.ts";

export interface ErrorEntry {
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
  /** The name of the exit code that `keel` ends with. */
  readonly exit: keyof typeof exitCode;
}

const entries = {
  "KEEL-101": {
    title: "Invalid unit file",
    meaning:
      "A unit file could not be read: a line is neither a section, a comment nor an assignment, or the file is larger than 1 MiB or not UTF-8.",
    remedy:
      "Look at the line and column in the message. `systemd-analyze verify FILE` checks the parts that belong to systemd.",
    exit: "usage",
  },
  "KEEL-102": {
    title: "Invalid option in [X-Fleet] or [X-Keelson]",
    meaning:
      "A key in one of Keelson’s own sections is unknown, or its value cannot be read. Such keys are refused and never ignored, since an ignored constraint would let the unit run where it must not.",
    remedy: "The message names the line, the column and the nearest valid name.",
    exit: "usage",
  },
  "KEEL-103": {
    title: "Invalid unit name",
    meaning:
      "A unit name has at most 255 characters of A-Z a-z 0-9 : _ . \\ @ - and ends with a type that Keelson runs.",
    remedy: "Rename the file: NAME.service, NAME@.container, NAME@INSTANCE.timer.",
    exit: "usage",
  },
  "KEEL-104": {
    title: "Invalid request",
    meaning: "The request’s body, parameters or options do not have the expected form.",
    remedy: "The message names the field. `keel COMMAND --help` and the API page list what is accepted.",
    exit: "usage",
  },
  "KEEL-105": {
    title: "A template cannot be started as it is",
    meaning: "NAME@.service has no instance. Only its instances run.",
    remedy:
      "Start an instance, `keel start NAME@1.service`, or ask for a number of them, `keel scale NAME@ 3`.",
    exit: "usage",
  },
  "KEEL-106": {
    title: "Invalid configuration",
    meaning: "The configuration of the daemon cannot be read, or a field is missing or has the wrong form.",
    remedy: "The message names the field and the source. docs/operations/configuration.md lists all fields.",
    exit: "usage",
  },
  "KEEL-107": {
    title: "Invalid image archive",
    meaning: "The file is no OCI or Docker image archive, is damaged, or is larger than the limit.",
    remedy: "Write one with `podman save -o FILE IMAGE` or `docker save -o FILE IMAGE`.",
    exit: "usage",
  },
  "KEEL-108": {
    title: "The Compose file cannot be read",
    meaning: "It is no YAML, not of the form of a Compose file, or it needs a variable that is not set.",
    remedy: "The message names the place. `docker compose config` shows a file as Compose itself reads it.",
    exit: "usage",
  },
  "KEEL-201": {
    title: "Refused: too large an impact",
    meaning: "The change stops or removes more than 25 % of the units.",
    remedy:
      "Look at the plan in the message. If it is what you want, repeat with --max-impact and the figure that the message names.",
    exit: "refused",
  },
  "KEEL-202": {
    title: "Refused: this concerns everything",
    meaning: "The change stops or removes every unit of the cluster.",
    remedy: "If it is what you want, repeat with --confirm and the cluster’s name.",
    exit: "refused",
  },
  "KEEL-203": {
    title: "Refused: the selector matches nothing or everything",
    meaning:
      "An empty pattern, a pattern that matches no unit, or one that matches every unit is nearly always a mistake.",
    remedy: "Name the units. `keel list-unit-files` lists them. To mean all of them say --all.",
    exit: "refused",
  },
  "KEEL-204": {
    title: "Refused: this cannot be undone",
    meaning: "The change destroys what no undo can bring back.",
    remedy: "If it is what you want, repeat with --confirm and the cluster’s name.",
    exit: "refused",
  },
  "KEEL-301": {
    title: "This host cannot run local machines",
    meaning:
      "Something that local machines need is missing: root, Linux, cgroup2, memory, disk, a command or a kernel feature. Nothing was changed.",
    remedy: "The message lists each missing thing with the line that gets it.",
    exit: "failed",
  },
  "KEEL-302": {
    title: "The machine tree could not be built",
    meaning: "Building the machines’ file tree from Debian’s packages failed. Nothing half done was left.",
    remedy:
      "The message holds the last lines of the build. Usually the package mirror was not reachable: try again when it is.",
    exit: "failed",
  },
  "KEEL-303": {
    title: "A local machine did not do what was asked",
    meaning:
      "A machine did not start, stop or answer in time, or is in another state than the command needs.",
    remedy: "`keel machine list` shows the states. The machine’s console log is named in the message.",
    exit: "failed",
  },
  "KEEL-304": {
    title: "A download is needed and the network is not there",
    meaning: "Packages are not cached yet and their mirror or registry cannot be reached.",
    remedy:
      "Check the connection and the proxy settings, then run the same command again: what is already there is kept.",
    exit: "failed",
  },
  "KEEL-305": {
    title: "The cluster exists already, or another command works on it",
    meaning: "A local cluster of this name runs, is half built, or is being changed by another command.",
    remedy: "`keel down --cluster NAME` removes it. `--cluster OTHER` makes another beside it.",
    exit: "conflict",
  },
  "KEEL-311": {
    title: "A virtual machine’s emulator does not answer",
    meaning:
      "QEMU did not answer on its control socket in time, hung up, or refused what it was asked. The machine itself may still run.",
    remedy:
      "`keel machine kill NAME` pulls the plug whatever its state, `keel machine start NAME` starts it again. QEMU’s own words are in emulator.log beside the machine’s console log.",
    exit: "failed",
  },
  "KEEL-312": {
    title: "A virtual machine’s disk cannot be made",
    meaning:
      "The image that local virtual machines start from is missing or cannot be read, or there is no room for a machine’s disk over it.",
    remedy: "`keel os build` makes the image again; `df /var/lib/keelson` shows the room that is left.",
    exit: "failed",
  },
  "KEEL-313": {
    title: "The machines’ Node does not work",
    meaning:
      "Node was prepared for machines, without symbols and with English only, and then did not give the expected answer to a short program.",
    remedy:
      "Another version of Node may keep its language data in another form: `npm ci` brings the version of the lockfile.",
    exit: "failed",
  },
  "KEEL-331": {
    title: "The kernel could not be fetched",
    meaning: "Debian’s archive did not give the kernel’s packages, or they brought more than one kernel.",
    remedy: "Check that the mirror can be reached, then run the same command again: it goes on where it was.",
    exit: "failed",
  },
  "KEEL-332": {
    title: "The root file system could not be made",
    meaning: "It does not fit into a slot of the disk, or its hash tree could not be written.",
    remedy: "The message says which. `os/image/packages.txt` and `os/image/remove.txt` decide what it holds.",
    exit: "failed",
  },
  "KEEL-333": {
    title: "There is no build to compare",
    meaning:
      "The folder does not hold exactly one manifest and one list of parts that `keel os build` wrote.",
    remedy: "Name a folder that `keel os build --to` filled.",
    exit: "notFound",
  },
  "KEEL-334": {
    title: "The build is not reproducible",
    meaning: "The same inputs made different bytes: something of the host or of the time went in.",
    remedy: "The message names the first byte that differs. Please report it with both builds.",
    exit: "failed",
  },
  "KEEL-335": {
    title: "A program of the image lacks a library",
    meaning:
      "A program or library of the root file system is linked with a library that the image does not hold, or not where it looks. It would not start on any machine, so nothing was built.",
    remedy:
      "The message names both. Usually a pattern of `os/image/remove.txt` takes too much: keep the library, or leave out the program as well.",
    exit: "failed",
  },
  "KEEL-341": {
    title: "Secure Boot’s key or certificate cannot be used",
    meaning:
      "The key is not one that firmware knows (RSA, 2048 to 4096 bits), the certificate is missing or no PEM file, or it belongs to another key. Nothing was signed.",
    remedy:
      "Name a key and the certificate that was made with it: `keel os keys secure-boot FOLDER` makes db.key and db.pem.",
    exit: "usage",
  },
  "KEEL-342": {
    title: "These keys cannot be enrolled with the build",
    meaning:
      "The folder lacks PK.auth, KEK.auth or db.auth, one of them sets no certificate, or a machine with these keys would not start the build.",
    remedy: "Name the folder that `keel os keys secure-boot` filled, and sign the build with its db.key.",
    exit: "usage",
  },
  "KEEL-343": {
    title: "The machine’s firmware would not start this version",
    meaning:
      "Secure Boot is on, and the version’s kernel image carries no signature by a key that the firmware knows. What starts next has not changed: a machine cannot come back by itself from a boot loader that is refused everything.",
    remedy:
      "Take a build that is signed for this machine (`keel os build --sign-key`), or enrol its certificate in the firmware first.",
    exit: "refused",
  },
  "KEEL-351": {
    title: "The image could not be exported",
    meaning:
      "A tool that makes or checks the file failed, or what it made is not what it should be. Nothing half done was left.",
    remedy:
      "The message holds the tool’s last words. Usually the disk is full or the build is damaged: build again, then export again.",
    exit: "failed",
  },
  "KEEL-352": {
    title: "The file is there already",
    meaning: "Exports overwrite nothing unless they are told to.",
    remedy: "Name another file with --to, or repeat with --force.",
    exit: "conflict",
  },
  "KEEL-353": {
    title: "Not enough room for the export",
    meaning: "The folder that the file goes to has less free space than it takes. Nothing was written.",
    remedy: "Free some space, or name a folder on another disk with --to.",
    exit: "failed",
  },
  "KEEL-354": {
    title: "This is no build of Keelson’s system",
    meaning:
      "The file or folder does not hold a disk with Keelson’s partitions and one kernel image of its own.",
    remedy: "`keel os build` makes a build and says where it is; name that with --input.",
    exit: "notFound",
  },
  "KEEL-355": {
    title: "The disk looks used",
    meaning:
      "The disk holds partitions, a file system, or is in use; the message lists what was found. Nothing was changed.",
    remedy:
      "Take another disk. If everything on it may be lost, repeat with --force; what is mounted or in use must be freed first.",
    exit: "refused",
  },
  "KEEL-356": {
    title: "The system cannot be installed there",
    meaning:
      "The disk is too small, can only be read, is no disk, or is the one that this system runs from. Nothing was changed.",
    remedy: "Take another disk; the message says what this one lacks.",
    exit: "refused",
  },
  "KEEL-357": {
    title: "The installation did not come to its end",
    meaning:
      "Writing or reading back failed. The disk does not start, and says in its table that it is unfinished.",
    remedy:
      "The message holds the reason. Run the same command again: an unfinished installation may be overwritten.",
    exit: "failed",
  },
  "KEEL-358": {
    title: "What would be installed cannot be proven",
    meaning:
      "The root image is not the one that its kernel image names: the medium or the download is damaged. Nothing on the disk starts.",
    remedy: "Make or download the medium again.",
    exit: "failed",
  },
  "KEEL-401": {
    title: "The store cannot be reached",
    meaning: "The daemon has no contact with the store. Units that run keep running; changes must wait.",
    remedy: "See `keel doctor`. When the store is back everything goes on by itself.",
    exit: "unreachable",
  },
  "KEEL-402": {
    title: "A record in the store is damaged or from a newer version",
    meaning: "A value under /keelson/ does not have the form that this version knows. It was left as it is.",
    remedy:
      "The message names the key. Look at it with etcdctl; a newer keeld may have written it: upgrade this one.",
    exit: "failed",
  },
  "KEEL-403": {
    title: "The state moved since the plan was made",
    meaning: "Another change came between the plan and its application. Nothing was changed by this one.",
    remedy: "Run the command again: it plans afresh.",
    exit: "conflict",
  },
  "KEEL-411": {
    title: "A certificate could not be made or read",
    meaning:
      "A key, request or certificate of the store is damaged or does not fit, or openssl refused to make one.",
    remedy:
      "The message holds openssl’s words or names the file. docs/operations/store-cluster.md lists the files.",
    exit: "failed",
  },
  "KEEL-412": {
    title: "The store cannot be moved as things stand",
    meaning:
      "Something that the move needs is missing: enough machines that are up, space, a version, or a store that is not being moved already. Nothing was changed.",
    remedy: "The message lists what is missing. `keel store status` shows the store as it is.",
    exit: "conflict",
  },
  "KEEL-413": {
    title: "The move of the store failed and was undone",
    meaning:
      "A step of the move failed before the hand-over. The store goes on where it was; what was begun was taken back.",
    remedy: "The message names the step and its reason. Mend it and run the same command again.",
    exit: "failed",
  },
  "KEEL-501": {
    title: "No such unit",
    meaning: "Neither the cluster nor a local file has this unit.",
    remedy: "`keel list-unit-files` lists the units of the cluster.",
    exit: "notFound",
  },
  "KEEL-502": {
    title: "No such machine",
    meaning: "No machine has this name, identity or prefix, or the prefix fits several.",
    remedy: "`keel list-machines` lists the machines.",
    exit: "notFound",
  },
  "KEEL-503": {
    title: "The unit cannot be placed",
    meaning:
      "No machine satisfies the unit’s constraints at the moment. It waits, and is placed as soon as one does.",
    remedy: "`keel why UNIT` shows each machine with its reason.",
    exit: "failed",
  },
  "KEEL-504": {
    title: "The unit failed",
    meaning: "systemd reports the unit as failed on its machine.",
    remedy: "`keel journal UNIT` shows its last words, `keel status UNIT` systemd’s view.",
    exit: "failed",
  },
  "KEEL-505": {
    title: "A unit with this name and other content exists",
    meaning: "The cluster holds a unit of this name with different content, and replacing was not asked for.",
    remedy:
      "`keel cat UNIT` shows what is there. --replace puts the new content in its place and can be undone.",
    exit: "conflict",
  },
  "KEEL-506": {
    title: "No such operation",
    meaning:
      "No operation has this identity, or it is older than the 72 hours for which operations are kept.",
    remedy: "`keel op list` shows the operations that can be undone.",
    exit: "notFound",
  },
  "KEEL-507": {
    title: "The operation cannot be undone as things stand",
    meaning: "What the operation changed was changed again since, or the operation changed nothing.",
    remedy: "Undo the later operation first: the message names it.",
    exit: "conflict",
  },
  "KEEL-508": {
    title: "No such image",
    meaning: "The cluster has no image archive of this name.",
    remedy: "`keel image ls` lists them; `keel image load FILE` adds one.",
    exit: "notFound",
  },
  "KEEL-521": {
    title: "No such discovery token",
    meaning: "The discovery service knows no such token: it was made elsewhere, or it is forgotten.",
    remedy: "`keel discovery new --size N` makes another.",
    exit: "notFound",
  },
  "KEEL-531": {
    title: "Refused: units would be left without a machine",
    meaning: "No other machine takes some units of the machine that is to be drained.",
    remedy:
      "The plan names them with the reason. Add a machine, or change what keeps them, or repeat with --allow-stranded: they stay until they fit elsewhere, or until the drain’s deadline stops them.",
    exit: "refused",
  },
  "KEEL-532": {
    title: "Refused: the last machine that takes units",
    meaning: "All other machines are lost, cordoned or being drained.",
    remedy: "Put another machine into service first, or repeat with --confirm and the cluster’s name.",
    exit: "refused",
  },
  "KEEL-533": {
    title: "Not now: the cluster is not at rest",
    meaning: "Units are on their way, a rollout is under way, or a machine with units does not report.",
    remedy: "Wait for what the message names, then ask again.",
    exit: "refused",
  },
  "KEEL-571": {
    title: "The question takes too long to answer",
    meaning: "What would happen was not worked out within the time that the daemon takes for one question.",
    remedy: "Ask about less at once: fewer machines, fewer units.",
    exit: "timedOut",
  },
  "KEEL-541": {
    title: "No rollout",
    meaning: "The unit’s content was never replaced while it ran, so that there is nothing to pause or stop.",
    remedy: "`keel rollout status` lists the rollouts; `keel update UNIT FILE` begins one.",
    exit: "notFound",
  },
  "KEEL-542": {
    title: "The rollout is in another state",
    meaning: "What was asked for does not follow from the rollout’s state: it may be over, or going back.",
    remedy: "`keel rollout status UNIT` shows the state.",
    exit: "conflict",
  },
  "KEEL-543": {
    title: "No such version",
    meaning: "The unit has no version of this number, or none before the present one to go back to.",
    remedy: "`keel versions UNIT` lists the versions that are kept.",
    exit: "notFound",
  },
  "KEEL-544": {
    title: "The new version failed, and the unit went back",
    meaning:
      "An instance of the new version failed, or was not healthy in time. All instances have the version before again.",
    remedy:
      "The message names the instance and its reason. `keel versions UNIT` keeps the version that failed, `keel diff UNIT` shows it.",
    exit: "partly",
  },
  "KEEL-545": {
    title: "The rollout stands still",
    meaning: "The rollout was paused or stopped, by a person or because the new version failed.",
    remedy: "`keel rollout resume UNIT` goes on, `keel rollback UNIT` goes back.",
    exit: "partly",
  },
  "KEEL-561": {
    title: "The unit has no runs",
    meaning:
      "Runs are kept of units that run to their end: Type=oneshot without RemainAfterExit=, once somebody or a timer has started them.",
    remedy: "`keel start UNIT` runs one; `keel jobs` lists those that have run.",
    exit: "notFound",
  },
  "KEEL-581": {
    title: "Options that make no unit file",
    meaning:
      "A list of options that came over fleet’s API cannot be written as a unit file that says the same: a value holds a line break that is no continuation, or a name is empty or holds an equals sign.",
    remedy: "Send the unit file itself: `keel submit FILE`.",
    exit: "usage",
  },
  "KEEL-582": {
    title: "Invalid page token",
    meaning: "The parameter nextPageToken of fleet’s API is none that this API gave out.",
    remedy: "Begin with the first page: leave the token out.",
    exit: "usage",
  },
  "KEEL-583": {
    title: "Invalid patch of machine metadata",
    meaning:
      "PATCH /fleet/v1/machines takes a list of operations add, replace or remove on /MACHINE/metadata/KEY, the first two with a value.",
    remedy: "docs/protocols/fleet-v1.md has an example.",
    exit: "usage",
  },
  "KEEL-584": {
    title: "An option of fleetctl that means nothing here",
    meaning:
      "Keelson takes every option of fleetctl. This one speaks of something that Keelson does not have: a registry in etcd that clients write, or signed units. It is refused and not ignored, since the command would otherwise do less than it seems to.",
    remedy: "Leave the option out; the message names what takes its place.",
    exit: "usage",
  },
  "KEEL-585": {
    title: "The tunnel does not open",
    meaning:
      "ssh did not get through to the host of --tunnel, or may not forward to the daemon’s socket there.",
    remedy:
      "The message has ssh’s own words. `ssh -p PORT USER@HOST true` tries the same; --ssh-username and --known-hosts-file say how.",
    exit: "unreachable",
  },
  "KEEL-586": {
    title: "There is nothing to stop",
    meaning: "The unit is inactive: it is on no machine. Stopping it would place it.",
    remedy: "`keel list-unit-files` shows the states; `keel load UNIT` places it without starting it.",
    exit: "conflict",
  },
  "KEEL-601": {
    title: "No daemon answers",
    meaning: "The command could not reach keeld.",
    remedy: "`keel up` starts a local cluster. `--cluster NAME` or KEEL_ENDPOINT choose another.",
    exit: "unreachable",
  },
  "KEEL-602": {
    title: "Timed out",
    meaning: "The outcome did not come in time. What was asked for goes on; nothing was taken back.",
    remedy:
      "The message names the operation. `keel op show ID` follows it, `keel why UNIT` says what it waits for.",
    exit: "timedOut",
  },
  "KEEL-603": {
    title: "Done in part",
    meaning: "Some of the units reached the asked state and others did not.",
    remedy: "The message lists them. `keel undo ID` takes the operation back.",
    exit: "partly",
  },
  "KEEL-604": {
    title: "Not allowed here",
    meaning: "This listener only reads. Changes go through the daemon’s own socket.",
    remedy: "Use `keel`, or curl with --unix-socket and the path that `keel doctor` prints.",
    exit: "refused",
  },
  "KEEL-605": {
    title: "Too large",
    meaning: "A request, file or answer exceeds its limit.",
    remedy: "The message names the limit.",
    exit: "usage",
  },
  "KEEL-701": {
    title: "The store’s directory is in use",
    meaning: "Another process holds the lock of the store’s data directory. Two would destroy it.",
    remedy: "Stop that process, or name another directory.",
    exit: "conflict",
  },
  "KEEL-702": {
    title: "The store’s directory is damaged",
    meaning:
      "Files of the store are not what was written, in a place that no crash can have torn. Nothing was changed, and nothing is skipped in silence.",
    remedy:
      "`keel store check DIR` lists every damage with its place. Look at the disk, then restore the directory from a backup.",
    exit: "failed",
  },
  "KEEL-703": {
    title: "The store’s directory cannot be read or written",
    meaning:
      "The system refused to read or write a file of the store, or the directory holds no store, or one of another version.",
    remedy: "The message names the file and the reason: rights, space, a read-only disk, a version.",
    exit: "failed",
  },
  "KEEL-711": {
    title: "Keelson’s own key",
    meaning:
      "A key below /keelson/ was to be written or deleted by hand. There Keelson keeps units, orders, machines and leadership; a wrong record can stop work on every machine.",
    remedy: "Use the command for what you want to change. If you know what the record means: --force.",
    exit: "refused",
  },
  "KEEL-712": {
    title: "No such key",
    meaning: "The store has no such key, or had none at that revision.",
    remedy: "`keel store ls PREFIX` lists keys, `keel store history KEY` what became of one.",
    exit: "notFound",
  },
  "KEEL-713": {
    title: "That revision cannot be read",
    meaning: "The revision was compacted, so that nothing older is known, or it does not exist yet.",
    remedy: "`keel store history KEY` shows the revisions that can be read.",
    exit: "notFound",
  },
  "KEEL-714": {
    title: "The key was changed meanwhile",
    meaning: "Someone else wrote between your look at the key and your change. Nothing was changed.",
    remedy: "Look again, then repeat the command.",
    exit: "conflict",
  },
  "KEEL-715": {
    title: "The store refuses",
    meaning: "The store answered with an error of its own, which the message quotes.",
    remedy: "The message names the reason: rights, space, a limit of the store.",
    exit: "failed",
  },
  "KEEL-716": {
    title: "Not confirmed",
    meaning:
      "The command changes what it has shown only when someone agrees, and nobody did. Nothing was changed.",
    remedy: "Answer y, or repeat the command with --yes.",
    exit: "refused",
  },
  "KEEL-721": {
    title: "The backup cannot be used",
    meaning:
      "The file is no backup of a store, was cut off or changed since it was written, or its manifest tells of another file.",
    remedy: "Use another backup; `keel store backup list DIR` shows which ones are proven.",
    exit: "failed",
  },
  "KEEL-722": {
    title: "The backup is not proven",
    meaning:
      "A store restored from the backup does not have the HashKV that the backup’s source had, or it could not be restored.",
    remedy:
      "Do not rely on this file. Take another backup; if that fails too, look at the source with `keel store status`.",
    exit: "failed",
  },
  "KEEL-723": {
    title: "The directory is not empty",
    meaning: "A store is restored into a new directory only: nothing that is there is overwritten.",
    remedy: "Name another directory, or move the old one away.",
    exit: "conflict",
  },
  "KEEL-724": {
    title: "The store cannot be restored as things stand",
    meaning:
      "The store is a cluster of etcd, or is on another machine, or moves; or the backup is of another version, or of no cluster at all. Nothing was changed.",
    remedy: "The message says which, and what to do first. docs/operations/backup.md has the steps.",
    exit: "conflict",
  },
  "KEEL-725": {
    title: "The restore failed and was undone",
    meaning: "The restored store could not be put in place or did not answer. The store that was goes on.",
    remedy: "The message holds the reason. Mend it and run the same command again.",
    exit: "failed",
  },
  "KEEL-801": {
    title: "Not started from an image",
    meaning:
      "The running system was not started from one of two slots of Keelson’s image, so there is nothing here that could be updated as a whole.",
    remedy: "Run the command on a machine that was installed from an image: docs/operations/os-updates.md.",
    exit: "notFound",
  },
  "KEEL-802": {
    title: "The slots cannot be used",
    meaning:
      "A partition that a machine’s disk must have is missing, cannot be read, or the boot menu lacks an entry.",
    remedy: "`keel os status` shows what is there. `journalctl -k` tells of a failing disk.",
    exit: "failed",
  },
  "KEEL-803": {
    title: "Another command changes the system",
    meaning: "An update or a rollback is under way on this machine. Two never run at once.",
    remedy: "`keel os status` shows how far it is. Wait for its end, then run this command again.",
    exit: "conflict",
  },
  "KEEL-804": {
    title: "The release is not installed",
    meaning:
      "The release is genuine, but this machine does not take it now: it runs already, waits for its restart, failed before, or the running version is still on trial.",
    remedy: "The message holds the reason, and which option overrides it, if one does.",
    exit: "refused",
  },
  "KEEL-805": {
    title: "No trust to check releases with",
    meaning:
      "The image ships no root of trust that can be read, so that no release can be told from a forgery.",
    remedy: "Install an image that was built with keys: docs/operations/releases.md.",
    exit: "failed",
  },
  "KEEL-806": {
    title: "The release cannot be fetched",
    meaning:
      "The folder or server does not answer, lacks a file, or broke off again and again. What has arrived is kept.",
    remedy: "Mend what the message names and run the same command again: it goes on where it stopped.",
    exit: "unreachable",
  },
  "KEEL-807": {
    title: "Something else came than was signed",
    meaning:
      "A file is shorter, longer or other than the signed manifest says, is no zstd, or is a web page. Nothing of it will start.",
    remedy: "Whoever serves the file changed or damaged it. Fetch it from another place.",
    exit: "failed",
  },
  "KEEL-808": {
    title: "The disk does not hold what was written",
    meaning:
      "What was read back from the slot or the ESP differs from what the manifest says. It will not start.",
    remedy: "Run the command again. If it happens twice, the disk is failing: `journalctl -k`.",
    exit: "failed",
  },
  "KEEL-809": {
    title: "Not enough space",
    meaning: "The slot, the ESP or the state partition is too small or too full for the release.",
    remedy: "The message names the place. `keel os status` shows what is kept; `df -h /var` what is used.",
    exit: "failed",
  },
  "KEEL-810": {
    title: "The disk cannot be written",
    meaning:
      "Writing failed: an I/O error, a read-only disk or file system. The running version starts as before.",
    remedy: "`journalctl -k` tells of the disk. Mend or replace it, then run the command again.",
    exit: "failed",
  },
  "KEEL-811": {
    title: "Nothing to go back to",
    meaning:
      "The other slot is empty, was overwritten by an update that did not end, or has no entry in the boot menu.",
    remedy: "`keel os update --to VERSION` installs another version.",
    exit: "conflict",
  },
  "KEEL-812": {
    title: "Only root may",
    meaning: "Slots, the ESP and the updater’s records belong to root.",
    remedy: "Run the command as root, or `keel ssh MACHINE keel os …`.",
    exit: "refused",
  },
  "KEEL-813": {
    title: "The machine is at work for its cluster",
    meaning: "A restart would stop units that nobody moved away first.",
    remedy:
      "Leave --now out and restart later, drain the machine first, or use --force. `keel os update --machines` does all of it in turn.",
    exit: "refused",
  },
  "KEEL-814": {
    title: "No such release",
    meaning:
      "The folder or server offers no release for this machine’s variant and architecture, or not that version.",
    remedy: "The message says what was looked for. `keel os status` names variant and architecture.",
    exit: "notFound",
  },
  "KEEL-821": {
    title: "A release document cannot be read",
    meaning:
      "A manifest, channel pointer, root or leave to go back is too large, is not written in the one way that is read (a key twice, bytes after its end, other spellings), or has another form.",
    remedy:
      "Nothing was believed or written. Fetch it again; if it stays so, whoever serves it changed it. `keel os release show FILE` says what is in a file.",
    exit: "refused",
  },
  "KEEL-822": {
    title: "Not signed by those who must sign",
    meaning:
      "Too few keys of the role that the machine trusts have signed, or a signature is not over these bytes.",
    remedy:
      "`keel os release verify` says which keys must sign. A release signed by new keys needs the root that names them first: docs/operations/releases.md.",
    exit: "refused",
  },
  "KEEL-823": {
    title: "Expired",
    meaning:
      "The release, the leave to go back, or the root of trust itself may no longer be used at this time.",
    remedy:
      "Check the machine’s clock. Otherwise publish a newer one: an expired manifest is signed again with a new date, an expired root is followed by the next.",
    exit: "refused",
  },
  "KEEL-824": {
    title: "The channel is stale",
    meaning:
      "The channel’s pointer has expired: whoever serves it gives no news, or keeps them back. Nothing is installed from it.",
    remedy:
      "See that the pointer is signed again before it expires (`keel os release channel renew`), and that the server is the right one.",
    exit: "refused",
  },
  "KEEL-825": {
    title: "Older than what was seen",
    meaning:
      "The release or the channel’s pointer is older than one that this machine has had. Somebody may be serving old files again.",
    remedy:
      "To go back on purpose sign a leave, `keel os release downgrade`; the version before is on the machine anyway: `keel os rollback`.",
    exit: "refused",
  },
  "KEEL-826": {
    title: "The epoch is not allowed",
    meaning:
      "Releases of this epoch must never be installed again, or the root of trust does not allow the epoch yet.",
    remedy: "Take a release of the present epoch. An epoch beyond the root’s bounds needs a new root.",
    exit: "refused",
  },
  "KEEL-827": {
    title: "Meant for other machines",
    meaning: "Product, variant, architecture or channel of the document are not this machine’s.",
    remedy: "Take the files of the machine’s own variant and architecture: `keel os status` names them.",
    exit: "refused",
  },
  "KEEL-828": {
    title: "Files that do not belong together",
    meaning:
      "Pointer, manifest and files disagree: a hash or a size is not what was signed, or two documents claim the same number.",
    remedy: "Fetch or copy all of them again. If it stays so, the files were changed or mixed on their way.",
    exit: "refused",
  },
  "KEEL-829": {
    title: "The channel’s generation does not count",
    meaning: "Pointers count only in the generation that the root of trust names.",
    remedy:
      "Fetch the newest root first. To recover from absurd counters raise the generation in a new root: docs/operations/releases.md.",
    exit: "refused",
  },
  "KEEL-830": {
    title: "The root of trust cannot follow",
    meaning:
      "A root follows the one before it, with its number plus one, signed by that one’s root keys and by its own, for the same purpose.",
    remedy: "Publish the roots in between, or have the missing keys sign.",
    exit: "refused",
  },
  "KEEL-831": {
    title: "Another version comes first",
    meaning: "The release can only be reached from a newer version than the one that runs.",
    remedy: "Update to the version that the message names, then to this one.",
    exit: "refused",
  },
  "KEEL-832": {
    title: "Not a delta, or not one for this image",
    meaning: "The delta’s form is wrong, or it starts from another image or leads to another one.",
    remedy:
      "Nothing was activated; the whole image is taken instead. Make the delta again: `keel os release delta OLD NEW`.",
    exit: "failed",
  },
  "KEEL-833": {
    title: "The key cannot be used",
    meaning:
      "The file holds no private key of the kind that is needed, its passphrase is wrong or missing, or others may read it.",
    remedy:
      "`keel os keys show FILE` says what it is. Passphrases are read from --passphrase-file or asked for.",
    exit: "usage",
  },
  "KEEL-834": {
    title: "There is such a file already",
    meaning: "Keys, roots and signed documents are never overwritten.",
    remedy: "Name another file, or move the old one away.",
    exit: "conflict",
  },
  "KEEL-835": {
    title: "From the future",
    meaning: "The document was made later than this machine’s clock says it is.",
    remedy: "Set the clock: `timedatectl`. If the clock is right, the clock of whoever signed was wrong.",
    exit: "refused",
  },
  "KEEL-836": {
    title: "More bytes than were signed",
    meaning:
      "A file goes on after the size that its manifest states. It was cut off there, and nothing of it is used.",
    remedy: "Whoever serves the file sends something else. Fetch it from another place.",
    exit: "refused",
  },
  "KEEL-841": {
    title: "The configuration cannot be used",
    meaning:
      "A cloud-config or an Ignition configuration has errors. Nothing of it is applied: half a configuration is none.",
    remedy: "`keel os validate FILE` tells each with line, column and what to do.",
    exit: "usage",
  },
  "KEEL-842": {
    title: "The source of the configuration does not answer",
    meaning:
      "The machine’s surroundings say that a configuration is to be had there, and it could not be read in time.",
    remedy:
      "The message names the source and the last answer. The machine asks again by itself; `keel os provision run` does at once.",
    exit: "unreachable",
  },
  "KEEL-843": {
    title: "The configuration was applied in part",
    meaning: "Some of it failed; everything else is in place. What failed is tried again at the next boot.",
    remedy:
      "`keel os provision status` lists what failed and why. `keel os provision run` tries again at once.",
    exit: "partly",
  },
  "KEEL-844": {
    title: "The machine cannot find its cluster",
    meaning:
      "Discovery does not answer, or names no store, or the machine has no address that others can reach.",
    remedy:
      "Check `discovery`, `endpoints`, `address` and `interface` in the section `keelson`, and the network.",
    exit: "unreachable",
  },
  "KEEL-845": {
    title: "This is no machine to be set up",
    meaning:
      "First-boot configuration is applied by a machine that runs Keelson’s image, as root, one at a time; elsewhere it would change the wrong system.",
    remedy: "Run it on the machine, as root. `keel os validate FILE` works everywhere and changes nothing.",
    exit: "refused",
  },
  "KEEL-861": {
    title: "The machine was not started from an image",
    meaning: "The command is about the operating system’s own boot, of which this machine knows nothing.",
    remedy: "Run it on an installed machine: `keel ssh MACHINE keel os …`.",
    exit: "usage",
  },
  "KEEL-862": {
    title: "Nothing to rescue here",
    meaning:
      "The state partition is in use, is not there, or its disk is not known. Nothing was changed: only a state partition that the machine could not use is repaired or made anew.",
    remedy: "`keel os rescue` says how things stand.",
    exit: "conflict",
  },
  "KEEL-863": {
    title: "The state partition cannot be mended",
    meaning: "The program that checks or makes its file system failed; the message quotes it.",
    remedy:
      "A disk that fails is replaced. Otherwise `keel os rescue --reformat --yes` makes the partition anew, empty.",
    exit: "failed",
  },
  "KEEL-864": {
    title: "The boot is not healthy",
    meaning:
      "The boot’s deadline has passed, or units failed that were healthy before. A boot on trial restarts the machine, which falls back by itself; any other only says so.",
    remedy:
      "`keel os gate` says what is missing now; `keel os history` has the journal’s end of failed versions.",
    exit: "failed",
  },
  "KEEL-871": {
    title: "An update of the machines’ system is under way",
    meaning:
      "One update of the cluster’s machines is made at a time. Another one is not over: it runs, is paused, or has halted because a machine failed.",
    remedy:
      "`keel os status --all` shows it. `keel os resume` goes on with one that stands still, `keel os abort` ends it.",
    exit: "conflict",
  },
  "KEEL-872": {
    title: "The machine cannot be updated so",
    meaning:
      "The machine has not said that its system is in one of two slots, as an image’s is, or it has nothing in the other slot to go back to.",
    remedy:
      "`keel os status --all` lists the machines with their systems. Machines that were not started from an image are updated by other means.",
    exit: "usage",
  },
  "KEEL-873": {
    title: "There is no such update of the machines’ system",
    meaning:
      "No update of the cluster’s machines was asked for, or it is in a state in which this cannot be done: one that is over cannot be paused.",
    remedy: "`keel os status --all` shows the latest one and its state.",
    exit: "conflict",
  },
  "KEEL-874": {
    title: "The version failed on a machine before",
    meaning:
      "A machine was started with this version, did not become healthy, and went back by itself. It would refuse the version.",
    remedy: "Take another version. If the reason is gone: repeat with --again.",
    exit: "conflict",
  },
  "KEEL-875": {
    title: "The update of the machines’ system stands still",
    meaning:
      "A machine could not take the release or went back from it, or a person paused or ended the update. No other machine’s turn comes.",
    remedy:
      "`keel os status --all` says why. `keel os resume` gives machines that failed another turn, `keel os abort` ends the update, `keel os rollback --all` takes back what was updated.",
    exit: "partly",
  },
  "KEEL-876": {
    title: "The output could not be written",
    meaning:
      "What stdout leads to takes no more: the disk is full, or a device refuses. The command itself may have done what it was asked to.",
    remedy:
      "Make room, or write elsewhere. Before a change is repeated: `keel op list` says whether it was made.",
    exit: "failed",
  },
  "KEEL-900": {
    title: "Internal error",
    meaning: "Something that should not be possible happened.",
    remedy: "The daemon’s journal has the details: `journalctl -u keeld` on the machine. Please report it.",
    exit: "failed",
  },
  "KEEL-910": {
    title: "Another process holds the update server’s log",
    meaning: "One process writes a log. Another one has it open: an update server that still runs.",
    remedy: "Stop the other one, or give this one a folder of its own.",
    exit: "conflict",
  },
  "KEEL-911": {
    title: "The update server’s log is damaged",
    meaning:
      "A file of the log is not what was written, at a place that no crash can have torn. Nothing was changed; the message names file and byte.",
    remedy:
      "Restore the folder from a backup. Without one: move it away and start anew; machines are known again when they next ask.",
    exit: "failed",
  },
  "KEEL-912": {
    title: "The update server’s log cannot be written",
    meaning:
      "The disk is full or refuses. Nothing is granted and no report is kept until it takes writes again; machines are told that there is no update.",
    remedy: "Make room. The server tries the disk every second and goes on by itself.",
    exit: "failed",
  },
  "KEEL-913": {
    title: "This machine serves no updates",
    meaning:
      "The update service’s ledger is with the keeld that has the role `updates`. The one that was asked has it not, or has not opened its log yet.",
    remedy:
      "Ask on the machine whose configuration names the role `updates`; its journal says how the start went.",
    exit: "unreachable",
  },
  "KEEL-914": {
    title: "No such machine asked for updates",
    meaning: "No application has heard of a machine with this id or alias.",
    remedy:
      "The id is the machineid of its requests, usually /etc/machine-id. Clients whose requests cannot be read are in `GET /v1/updates` under their address.",
    exit: "notFound",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof entries;
export const errorCatalogue: Readonly<Record<ErrorCode, ErrorEntry>> = entries;

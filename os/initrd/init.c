/*
 * The first process of a Keelson machine, in the initrd of its unified kernel image. It loads the modules that the
 * disk needs, finds the root slot, proves it with dm-verity, mounts the state partition and the overlay on /etc,
 * and hands over to systemd. docs/os-image.md says what is agreed with the rest of the system.
 *
 * What goes wrong with the root is printed and restarts the machine, so that the boot loader counts a try. What goes
 * wrong with the state does not: the machine starts with an empty /var in memory, /run/keelson/rescue says why.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/sysroot"
#define LIVE "/live"
#define DISK_WAIT_MS 60000
#define STATE_WAIT_MS 2000
#define POLL_MS 20
#define TRIAL "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

static char rescue_reason[512];

/* What /run/keelson/os says of the disk that the machine started from: names as in /dev. */
static char root_uuid[64], root_disk[128], root_slot[128], state_partition[128];

/* `level` is one of the kernel's, as it stands before a message. */
static void log_line(const char *level, const char *text) {
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    dprintf(fd < 0 ? 2 : fd, "%skeelson: %s\n", level, text);
    if (fd >= 0) close(fd);
}

static void say(const char *format, ...) {
    char text[600];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    log_line("<4>", text);
}

/* Prints what is wrong, waits so that a person can read it, and restarts. */
static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...) {
    char text[512], line[600];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    snprintf(line, sizeof line, "cannot start: %s; restarting in 5 seconds", text);
    // The console shows what is worse than a warning.
    log_line("<2>", line);
    sleep(5);
    reboot(RB_AUTOBOOT);
    _exit(1);
}

static void __attribute__((format(printf, 1, 2))) rescue(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(rescue_reason, sizeof rescue_reason, format, list);
    va_end(list);
    say("rescue: %s", rescue_reason);
}

static int make_mount(const char *what, const char *where, const char *type, unsigned long flags, const char *data) {
    mkdir(where, 0755);
    return mount(what, where, type, flags, data);
}

static void must_mount(const char *what, const char *where, const char *type, unsigned long flags, const char *data) {
    if (make_mount(what, where, type, flags, data) < 0) die("%s on %s: %s", what, where, strerror(errno));
}

/* Reads a small file; the text ends where the file or the room does. */
static ssize_t read_text(const char *path, char *text, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    size_t got = 0;
    ssize_t count;
    while (got + 1 < room && (count = read(fd, text + got, room - 1 - got)) > 0) got += (size_t)count;
    close(fd);
    text[got] = 0;
    return (ssize_t)got;
}

static char command_line[4096];

/*
 * Copies the value of the first `name=value` on the kernel's command line: what a hypervisor or a person adds comes
 * behind what the signature of the kernel image covers.
 */
static int word(const char *name, char *value, size_t room) {
    size_t length = strlen(name);
    for (const char *at = command_line; *at;) {
        size_t size = strcspn(at, " \n");
        if (size > length && !strncmp(at, name, length) && at[length] == '=' && size - length - 1 < room) {
            memcpy(value, at + length + 1, size - length - 1);
            value[size - length - 1] = 0;
            return 1;
        }
        at += size;
        at += strspn(at, " \n");
    }
    return 0;
}

/* Loads the modules of a list in order. One that is not for this machine is no error. */
static void load_modules(const char *names) {
    FILE *list = fopen(names, "re");
    if (!list) return;
    char path[256];
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            say("%s: %s", path, strerror(errno));
            continue;
        }
        if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV)
            say("%s: %s", path, strerror(errno));
        close(fd);
    }
    fclose(list);
}

/* /modules.list: a pattern of what names a device, or "-", and the modules it takes, in the order of loading. */
static struct {
    char *pattern, *modules;
    int done;
} wanted[8192];
static size_t wanted_count;

static void read_modules(void) {
    FILE *list = fopen("/modules.list", "re");
    if (!list) return;
    char line[512];
    while (wanted_count < sizeof wanted / sizeof *wanted && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        char *space = strchr(line, ' ');
        if (!space) continue;
        *space = 0;
        wanted[wanted_count].pattern = strdup(line);
        wanted[wanted_count++].modules = strdup(space + 1);
    }
    fclose(list);
}

/* Loads modules one after the other; the first that is not for this machine ends it. */
static void load(size_t index) {
    char names[512], *rest;
    snprintf(names, sizeof names, "%s", wanted[index].modules);
    for (size_t i = 0; i < wanted_count; i++)
        if (!strcmp(wanted[i].modules, wanted[index].modules)) wanted[i].done = 1;
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        char path[256];
        snprintf(path, sizeof path, "/modules/%s", name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        int failed = file < 0 || (syscall(SYS_finit_module, file, "", 0) < 0 && errno != EEXIST);
        if (failed && errno != ENODEV) say("%s: %s", path, strerror(errno));
        if (file >= 0) close(file);
        if (failed) return;
    }
}

/* Loads what the devices that are there now ask for. */
static void load_for_devices(void) {
    glob_t found;
    if (glob("/sys/bus/*/devices/*/modalias", GLOB_NOSORT, NULL, &found) != 0) return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char alias[512];
        if (read_text(found.gl_pathv[i], alias, sizeof alias) <= 0) continue;
        alias[strcspn(alias, "\n")] = 0;
        for (size_t k = 0; k < wanted_count; k++)
            if (!wanted[k].done && fnmatch(wanted[k].pattern, alias, 0) == 0) load(k);
    }
    globfree(&found);
}

static void load_always(void) {
    for (size_t k = 0; k < wanted_count; k++)
        if (!wanted[k].done && !strcmp(wanted[k].pattern, "-")) load(k);
}

/* Whether a block device holds the erofs with this UUID (32 hexadecimal digits). */
static int is_root(const char *device, const char *uuid) {
    unsigned char block[128];
    int fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t got = pread(fd, block, sizeof block, 1024);
    close(fd);
    if (got != sizeof block) return 0;
    static const unsigned char magic[] = {0xe2, 0xe1, 0xf5, 0xe0};
    if (memcmp(block, magic, 4)) return 0;
    char text[33];
    for (int i = 0; i < 16; i++) sprintf(text + 2 * i, "%02x", block[48 + i]);
    return !strcmp(text, uuid);
}

static int partition_name(const char *block, char *name, size_t room) {
    char path[320], text[2048];
    snprintf(path, sizeof path, "/sys/class/block/%s/uevent", block);
    if (read_text(path, text, sizeof text) < 0) return 0;
    char *at = strstr(text, "PARTNAME=");
    if (!at) return 0;
    at += 9;
    at[strcspn(at, "\n")] = 0;
    snprintf(name, room, "%s", at);
    return 1;
}

/* The disk that a partition lies on, as sysfs names it: "vda" of "vda2". */
static int disk_of(const char *block, char *disk, size_t room) {
    char path[320], target[1024];
    snprintf(path, sizeof path, "/sys/class/block/%s", block);
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) return 0;
    target[size] = 0;
    char *last = strrchr(target, '/');
    if (!last) return 0;
    *last = 0;
    char *parent = strrchr(target, '/');
    if (!parent) return 0;
    snprintf(disk, room, "%s", parent + 1);
    return 1;
}

/* Looks once over all partitions. `disk` limits the search unless it is empty; `uuid` may be NULL. */
static int find_partition(const char *label, const char *uuid, const char *disk, char *found, size_t room) {
    DIR *folder = opendir("/sys/class/block");
    if (!folder) return 0;
    struct dirent *entry;
    int result = 0;
    while (!result && (entry = readdir(folder))) {
        char name[128], parent[128], device[300];
        if (entry->d_name[0] == '.' || !partition_name(entry->d_name, name, sizeof name)) continue;
        if (uuid ? strncmp(name, label, strlen(label)) : strcmp(name, label)) continue;
        if (*disk && (!disk_of(entry->d_name, parent, sizeof parent) || strcmp(parent, disk))) continue;
        snprintf(device, sizeof device, "/dev/%s", entry->d_name);
        if (uuid && !is_root(device, uuid)) continue;
        snprintf(found, room, "%s", entry->d_name);
        result = 1;
    }
    closedir(folder);
    return result;
}

static void pause_ms(long ms) {
    struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static void device_mapper(int control, unsigned long request, void *buffer, const char *doing) {
    struct dm_ioctl *head = buffer;
    head->version[0] = DM_VERSION_MAJOR;
    strcpy(head->name, "keelson-root");
    if (ioctl(control, request, buffer) < 0) die("dm-verity, %s: %s", doing, strerror(errno));
}

/* Makes /dev/dm-N of the slot: `verity` is root hash, salt and number of data blocks. Returns the device's path. */
static const char *open_verity(const char *slot, char *verity, int trial) {
    static char device[32];
    char *rest, *hash = strtok_r(verity, ",", &rest), *salt = strtok_r(NULL, ",", &rest);
    char *count = strtok_r(NULL, ",", &rest), *end;
    if (!hash || !salt || !count) die("keelson.verity is not <root hash>,<salt>,<blocks>");
    unsigned long long blocks = strtoull(count, &end, 10);
    if (*end || blocks == 0 || blocks > (1ull << 32)) die("keelson.verity has no number of blocks");
    int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    if (control < 0) die("/dev/mapper/control: %s", strerror(errno));
    static _Alignas(8) char buffer[4096];
    struct dm_ioctl *head = (void *)buffer;
#define FRESH() (memset(buffer, 0, sizeof buffer), head->data_size = sizeof buffer, head->data_start = sizeof *head)
    FRESH();
    strcpy(head->uuid, "CRYPT-VERITY-keelson-root");
    device_mapper(control, DM_DEV_CREATE, buffer, "device");
    unsigned minor_number = minor(head->dev);
    FRESH();
    head->target_count = 1;
    head->flags = DM_READONLY_FLAG;
    struct dm_target_spec *target = (void *)(buffer + sizeof *head);
    target->length = blocks * 8;
    strcpy(target->target_type, "verity");
    char *words = (char *)(target + 1);
    int size = snprintf(words, 2048, "1 /dev/%s /dev/%s 4096 4096 %llu %llu sha256 %s %s%s", slot, slot, blocks, blocks,
                        hash, salt, trial ? " 1 restart_on_corruption" : "");
    if (size >= 2048) die("keelson.verity is too long");
    target->next = (uint32_t)(sizeof *target + (((size_t)size + 8) & ~7ul));
    device_mapper(control, DM_TABLE_LOAD, buffer, "table");
    FRESH();
    device_mapper(control, DM_DEV_SUSPEND, buffer, "start");
    close(control);
    snprintf(device, sizeof device, "/dev/dm-%u", minor_number);
    return device;
}

/* Runs a program of the root file system and returns its exit status, -1 when it could not be run. */
static int run_in_root(const char *program, const char *option, const char *argument) {
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null >= 0) dup2(null, 1);
        if (chroot(ROOT) < 0 || chdir("/") < 0) _exit(127);
        execl(program, program, option, argument, (char *)NULL);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Mounts the state partition on /var; 0 when that is not possible, with the reason set. */
static int mount_state(const char *disk) {
    char *state = state_partition, device[160];
    /* The kernel shows a disk's partitions one after the other: this one comes last. */
    for (int waited = 0; !find_partition("keelson-state", NULL, disk, state, sizeof state_partition); waited += POLL_MS) {
        if (waited >= STATE_WAIT_MS) {
            rescue("this disk has no partition keelson-state");
            return 0;
        }
        pause_ms(POLL_MS);
    }
    snprintf(device, sizeof device, "/dev/%s", state);
    int status = run_in_root("/usr/sbin/e2fsck", "-p", device);
    /* Errors in a file system that is one are mended. Without its superblock (8) mending would make it an empty one:
     * that is for a person to decide. */
    if (status == 4) {
        say("%s needs repair, e2fsck answered %d", device, status);
        status = run_in_root("/usr/sbin/e2fsck", "-y", device);
    }
    if (status < 0 || status >= 4) {
        rescue("%s (keelson-state) could not be mended, e2fsck answered %d", device, status);
        return 0;
    }
    if (mount(device, ROOT "/var", "ext4", MS_NODEV | MS_NOSUID | MS_NOATIME, "") < 0) {
        rescue("%s (keelson-state) could not be mounted: %s", device, strerror(errno));
        return 0;
    }
    return 1;
}

/* Under QEMU the id that the host gave the machine, as 32 digits; 0 when it gave none. */
static int given_id(char *text, size_t size) {
    char vendor[16], uuid[64];
    if (read_text("/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor) < 4 || strncmp(vendor, "QEMU", 4)) return 0;
    if (read_text("/sys/class/dmi/id/product_uuid", uuid, sizeof uuid) < 36 || size < 33) return 0;
    size_t length = 0;
    int zeros = 0;
    for (int i = 0; i < 36; i++) {
        if (uuid[i] == '-') continue;
        if (!strchr("0123456789abcdefABCDEF", uuid[i]) || length == 32) return 0;
        zeros += uuid[i] == '0';
        text[length++] = uuid[i] | (uuid[i] >= 'A' ? 0x20 : 0);
    }
    text[length] = 0;
    return length == 32 && zeros < 32;
}

/* A machine keeps its id in the upper folder of /etc; the first boot takes the given one, or makes one. */
static void machine_id(void) {
    char text[64];
    const char *path = ROOT "/run/keelson/etc/machine-id";
    if (read_text(path, text, sizeof text) >= 32) return;
    if (!given_id(text, sizeof text)) {
        unsigned char bytes[16];
        int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
        if (random < 0 || read(random, bytes, sizeof bytes) != sizeof bytes)
            return say("no machine id: no random numbers");
        close(random);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        for (int i = 0; i < 16; i++) sprintf(text + 2 * i, "%02x", bytes[i]);
    }
    const char *fresh = ROOT "/run/keelson/etc/.machine-id.new";
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
    if (file < 0 || dprintf(file, "%s\n", text) < 0 || fsync(file) < 0 || rename(fresh, path) < 0)
        say("no machine id: %s", strerror(errno));
    if (file >= 0) close(file);
}

static void make_folders(void) {
    static const struct {
        const char *path;
        mode_t mode;
    } folders[] = {
        {"/var/lib", 0755},         {"/var/lib/keelson", 0755},           {"/var/lib/keelson/etc", 0700},
        {"/var/lib/keelson/etc/upper", 0755}, {"/var/lib/keelson/etc/work", 0755}, {"/var/log", 0755},
        {"/var/log/journal", 0755}, {"/var/cache", 0755},                 {"/var/tmp", 01777},
        {"/var/roothome", 0700},    {"/var/home", 0755},                  {"/var/opt", 0755},
        {"/var/srv", 0755},
    };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[128];
        snprintf(path, sizeof path, ROOT "%s", folders[i].path);
        if (mkdir(path, 0755) == 0) chmod(path, folders[i].mode);
    }
}

/* /etc as it may be written in /run/keelson/etc, and the same read-only on /etc. */
static int mount_etc(void) {
    make_folders();
    mkdir(ROOT "/run/keelson", 0755);
    if (make_mount("keelson-etc", ROOT "/run/keelson/etc", "overlay", MS_NODEV | MS_NOSUID,
                   "lowerdir=" ROOT "/etc,upperdir=" ROOT "/var/lib/keelson/etc/upper,workdir=" ROOT
                   "/var/lib/keelson/etc/work,index=off,metacopy=off,redirect_dir=off,xino=off") < 0)
        return -1;
    machine_id();
    if (mount(ROOT "/run/keelson/etc", ROOT "/etc", NULL, MS_BIND, NULL) < 0) return -1;
    return mount(NULL, ROOT "/etc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOSUID, NULL);
}

static void memory_state(void) {
    umount2(ROOT "/var", MNT_DETACH);
    must_mount("keelson-state", ROOT "/var", "tmpfs", MS_NODEV | MS_NOSUID, "mode=755");
    if (mount_etc() < 0) die("the overlay on /etc: %s", strerror(errno));
}

/* A medium without a disk (ISO, network) brings the root along, behind the initrd. It stays in memory. */
static int is_live(void) {
    return access(LIVE "/root.img", F_OK) == 0;
}

/* Makes a disk of the root that came along. */
static void attach_live(const char *uuid, char *slot, size_t room) {
    load_modules("/modules.live");
    int file = open(LIVE "/root.img", O_RDONLY | O_CLOEXEC), loop = open("/dev/loop0", O_RDWR | O_CLOEXEC);
    struct loop_config config = {.fd = (uint32_t)file, .block_size = 4096, .info.lo_flags = LO_FLAGS_READ_ONLY};
    if (file < 0 || loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0)
        die("the root that came with the initrd: %s", strerror(errno));
    close(file);
    close(loop);
    snprintf(slot, room, "loop0");
    if (!is_root("/dev/loop0", uuid)) die("the root that came with the initrd is not %s", uuid);
}

/* What else came along is found by `keel os install`, and by provisioning. */
static void keep_live(void) {
    mkdir(ROOT "/run/keelson", 0755);
    mkdir(ROOT "/run/keelson/live", 0700);
    if (mount(LIVE, ROOT "/run/keelson/live", NULL, MS_BIND, NULL) < 0)
        say("what came with the initrd: %s", strerror(errno));
}

/* The erofs of the command line, mounted on ROOT. */
static void mount_root(void) {
    char *uuid = root_uuid, *slot = root_slot, plain[33] = "", verity[256];
    if (!word("keelson.root", uuid, sizeof root_uuid)) die("keelson.root is not on the kernel's command line");
    if (!word("keelson.verity", verity, sizeof verity)) die("keelson.verity is not on the kernel's command line");
    size_t digits = 0;
    for (const char *at = uuid; *at && digits < 32; at++)
        if (*at != '-') plain[digits++] = *at;
    int live = is_live();
    if (live) attach_live(plain, slot, sizeof root_slot);
    for (int waited = 0; !live && !find_partition("keelson-root-", plain, "", slot, sizeof root_slot); waited += POLL_MS) {
        if (waited >= DISK_WAIT_MS) die("no slot keelson-root-a or keelson-root-b holds the root %s", uuid);
        load_for_devices();
        pause_ms(POLL_MS);
    }
    if (!live && !disk_of(slot, root_disk, sizeof root_disk)) die("%s is on no disk", slot);
    const char *device = open_verity(slot, verity, access(TRIAL, F_OK) == 0);
    must_mount(device, ROOT, "erofs", MS_RDONLY | MS_NODEV, "");
}

static void device_line(int file, const char *name, const char *block) {
    dprintf(file, "%s=%s%s\n", name, *block ? "/dev/" : "", block);
}

/* How the machine was started, for all that comes later: docs/os-image.md lists it. */
static void write_facts(void) {
    char version[64] = "", variant[32] = "", label[64] = "", esp[128] = "";
    word("keelson.version", version, sizeof version);
    word("keelson.variant", variant, sizeof variant);
    if (!partition_name(root_slot, label, sizeof label)) *label = 0;
    find_partition("keelson-esp", NULL, root_disk, esp, sizeof esp);
    int file = open(ROOT "/run/keelson/os", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return say("/run/keelson/os: %s", strerror(errno));
    const char *slot = strncmp(label, "keelson-root-", 13) ? "" : label + 13;
    dprintf(file, "VERSION=%s\nVARIANT=%s\nSLOT=%s\nROOT_UUID=%s\n", version, variant, slot, root_uuid);
    device_line(file, "DISK", root_disk);
    device_line(file, "ESP_DEVICE", esp);
    device_line(file, "ROOT_DEVICE", root_slot);
    device_line(file, "STATE_DEVICE", state_partition);
    close(file);
}

/* Leaves the initrd: its files are of no more use and hold memory. */
static void __attribute__((noreturn)) hand_over(char **arguments) {
    unlink("/init");
    unlink("/modules.list");
    if (chdir(ROOT) < 0) die("%s: %s", ROOT, strerror(errno));
    static const char *const moved[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < 3; i++) {
        char to[64];
        snprintf(to, sizeof to, ROOT "%s", moved[i]);
        if (mount(moved[i], to, NULL, MS_MOVE, NULL) < 0) die("moving %s: %s", moved[i], strerror(errno));
    }
    if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        die("switching to the root: %s", strerror(errno));
    arguments[0] = "/usr/lib/systemd/systemd";
    execv(arguments[0], arguments);
    die("%s: %s", arguments[0], strerror(errno));
}

int main(int count, char **arguments) {
    (void)count;
    umask(022);
    must_mount("proc", "/proc", "proc", MS_NODEV | MS_NOSUID | MS_NOEXEC, "");
    must_mount("sysfs", "/sys", "sysfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "");
    must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
    if (read_text("/proc/cmdline", command_line, sizeof command_line) < 0) die("/proc/cmdline: %s", strerror(errno));
    read_modules();
    load_always();
    load_for_devices();
    mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "");
    char state[32] = "";
    mount_root();
    must_mount("tmpfs", ROOT "/run", "tmpfs", MS_NODEV | MS_NOSUID, "mode=755");
    if (mount("/dev", ROOT "/dev", NULL, MS_BIND, NULL) < 0) die("/dev in the root: %s", strerror(errno));
    if (is_live() || (word("keelson.state", state, sizeof state) && !strcmp(state, "tmpfs"))) memory_state();
    else if (!mount_state(root_disk)) memory_state();
    else if (mount_etc() < 0) {
        rescue("the overlay on /etc could not be mounted from the state partition: %s", strerror(errno));
        memory_state();
    }
    umount2(ROOT "/dev", MNT_DETACH);
    if (is_live()) keep_live();
    else write_facts();
    if (*rescue_reason) {
        int file = open(ROOT "/run/keelson/rescue", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file < 0 || dprintf(file, "%s\n", rescue_reason) < 0) say("/run/keelson/rescue: %s", strerror(errno));
    }
    hand_over(arguments);
}

/*
 * What the control thread waits for: signals by signalfd, changes of the configuration's files by inotify.
 *
 * A ConfigMap is swapped by renaming `..data` in its folder, so the folder is watched, not the file (kubernetes.md
 * section 3 "Hot reload"). So is the folder of every file that the document names: policies, keys, hashes, authorities, which
 * Secrets swap in the same way. Of what happens there only `..data` and the named files count: a folder may be busy with
 * other things. A file of a volume that lies in a folder of its own there (`items: [{path: sub/key}]`) is reached through a
 * link to the folder of the old data; the kubelet deletes that after the swap, which is seen too. A burst of changes is one
 * reload, 250 ms after the last and at most 2 s after the first.
 *
 * Who writes a file where it lies is told of when it is closed. A reload for another reason (the file is new, another one has
 * changed) would read what is there so far: so a file that was changed within the last 250 ms, and is the one that lay there
 * before, is waited for, 10 s at most. What is renamed into place is whole when it comes.
 *
 * A file that is deleted or moved away is a change, too: a key that is taken away is to be refused. Some programs save by
 * deleting and writing anew, though, so a file that was there counts as gone once it has been absent for a second.
 *
 * So is a folder on the way to it, or a link to one, that is deleted, moved or replaced: each of them is watched for its own end
 * (not for what is in it: those above are busy). Where one is not there, the folder before it is watched for its name.
 *
 * The kernel bounds how many inotify instances and watches a user has, over all processes of a machine. Who gets none looks at the
 * files themselves, once a second (control->is_blind).
 */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "remora/clock.h"
#include "remora/memory.h"

enum { QUIET_MS = 250, ABSENT_MS = 1000, LONGEST_BURST_MS = 2000, LONGEST_WRITE_MS = 10000 };
enum { LOOK_MS = 1000 }; /* of files that nobody tells of */
enum { NO_FOLDER = -2 }; /* -1 is the folder of lost events */

/* One file, or a folder that is to come: the watch of its folder, and which file lay there when it was looked at last. */
struct control_watched {
    int folder; /* NO_FOLDER: it is not there */
    char *path;
    bool was_there;   /* when its watch began, or as its end tells */
    ino_t inode;      /* 0: not looked at */
    uint64_t stamp;   /* which file lay there, and how, when its watch began */
    uint64_t gone_ms; /* when it was first seen to be absent, if it was there; 0: it is */
};

void control_unwatch(struct control *control)
{
    for (size_t i = 0; i < control->watched_count; i++) {
        remora_free(control->watched[i].path);
    }
    control->watched_count = 0;
    control->is_blind = false;
}

/* 0: it is not there. */
static uint64_t stamp_of(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 ? app_stamp(&found) : 0;
}

static bool looks_changed(const struct control *control)
{
    bool is_changed = false;
    for (size_t i = 0; i < control->watched_count && control->is_blind; i++) {
        is_changed |= stamp_of(control->watched[i].path) != control->watched[i].stamp;
    }
    return is_changed;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool is_watched(const struct control *control, int folder, const char *path)
{
    for (size_t i = 0; i < control->watched_count; i++) {
        if (control->watched[i].folder == folder && strcmp(control->watched[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Once. Without memory a file is not watched; SIGHUP still reloads it. */
static void add_watched(struct control *control, int folder, const char *path)
{
    if (is_watched(control, folder, path)) {
        return;
    }
    if (control->watched_count == control->watched_capacity) {
        size_t capacity = control->watched_capacity == 0 ? 16 : control->watched_capacity * 2;
        struct control_watched *grown = remora_realloc(control->watched, capacity * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        control->watched = grown;
        control->watched_capacity = capacity;
    }
    char *copy = remora_strdup(remora_slice_of(path));
    if (copy != NULL) {
        control->watched[control->watched_count++] =
            (struct control_watched){.folder = folder,
                                     .path = copy,
                                     .was_there = access(copy, F_OK) == 0,
                                     .stamp = stamp_of(copy)};
    }
}

static void watch_in(struct control *control, const char *folder_path, const char *path)
{
    int folder = inotify_add_watch(control->watch_fd, folder_path,
                                   IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE |
                                       IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    if (folder >= 0) {
        add_watched(control, folder, path);
    } else if (errno == ENOSPC || errno == ENOMEM) {
        control->is_blind = true;
        add_watched(control, NO_FOLDER, path);
    }
}

/* The entry of this name, in its folder. */
static void watch_entry(struct control *control, const char *path)
{
    char *folder = remora_strdup(remora_slice_of(path)); /* dirname writes into it */
    if (folder != NULL) {
        watch_in(control, dirname(folder), path);
    }
    remora_free(folder);
}

/* A folder, or a link, for its own end. False: it is not there. */
static bool watch_end(struct control *control, const char *path)
{
    int watch = inotify_add_watch(control->watch_fd, path,
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_DONT_FOLLOW | IN_MASK_ADD);
    control->is_blind |= watch < 0 && (errno == ENOSPC || errno == ENOMEM);
    return watch >= 0 || errno != ENOENT;
}

/* False: it is not there, and watched for. */
static bool watch_step(struct control *control, const char *path)
{
    if (watch_end(control, path)) {
        return true;
    }
    watch_entry(control, path);
    return watch_end(control, path); /* it may have come meanwhile */
}

/* All folders and links on the way to a file; the path is as it was afterwards. False: the way ends before the file. */
static bool watch_way(struct control *control, char *path)
{
    char *slash = strchr(path, '/');
    slash = slash == path ? strchr(path + 1, '/') : slash;
    for (; slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool is_there = watch_step(control, path);
        *slash = '/';
        if (!is_there) {
            return false;
        }
    }
    return true;
}

void control_watch(struct control *control, const char *path)
{
    if (control->watch_fd < 0) {
        control->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    }
    char *way = remora_strdup(remora_slice_of(path));
    if (control->watch_fd < 0) {
        control->is_blind = true;
        add_watched(control, NO_FOLDER, path);
    }
    if (control->watch_fd < 0 || way == NULL) {
        remora_free(way);
        return;
    }
    if (watch_way(control, way)) {
        watch_entry(control, path);
    } else {
        add_watched(control, NO_FOLDER, path); /* who writes it once it can be is waited for */
    }
    remora_free(way);
}

bool control_open(struct control *control)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    *control = (struct control){.signal_fd = -1, .watch_fd = -1};
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return false;
    }
    control->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return control->signal_fd >= 0;
}

/* Whether it is about this file; of its end it follows that it was there. */
static bool is_about(struct control_watched *watched, const struct inotify_event *event)
{
    if (watched->folder != event->wd) {
        return false;
    }
    bool is_own = strcmp(event->name, name_of(watched->path)) == 0;
    watched->was_there |= is_own && (event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0;
    return is_own || strcmp(event->name, "..data") == 0;
}

/* Events that were lost may have been ours; a folder or link that went away has given its name to another one. */
static bool concerns(struct control *control, const struct inotify_event *event)
{
    if ((event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) {
        return true;
    }
    bool is_ours = false;
    for (size_t i = 0; i < control->watched_count && event->len > 0; i++) {
        is_ours = is_about(&control->watched[i], event) || is_ours;
    }
    return is_ours;
}

/* True when anything of what was read concerns the configuration. */
static bool empty_watch(struct control *control)
{
    char bytes[4096] __attribute__((aligned(8)));
    bool is_ours = false;
    for (;;) {
        ssize_t got = read(control->watch_fd, bytes, sizeof bytes);
        if (got <= 0) {
            return is_ours;
        }
        ssize_t at = 0;
        while (at < got) {
            const struct inotify_event *event = (const void *)(bytes + at);
            is_ours = concerns(control, event) || is_ours;
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

static enum control_event read_signal(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return CONTROL_NOTHING;
    }
    return info.ssi_signo == SIGHUP ? CONTROL_RELOAD : CONTROL_STOP;
}

static uint64_t now_ms(void)
{
    const struct remora_clock *clock = remora_clock_system();
    return clock->now_ns(clock) / REMORA_NS_PER_MS;
}

static int64_t unix_ms_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

/* How long until a file that was there has been absent for so long that it counts as gone. */
static uint64_t absent_ms(struct control_watched *watched)
{
    uint64_t now = now_ms();
    if (!watched->was_there) {
        return 0;
    }
    watched->gone_ms = watched->gone_ms == 0 ? now : watched->gone_ms;
    uint64_t gone_at = watched->gone_ms + ABSENT_MS;
    return gone_at > now ? gone_at - now : 0;
}

/* How long until this file has been left alone for QUIET_MS; 0 of one that has, or was not there when it was looked at last. */
static uint64_t busy_ms(struct control_watched *watched)
{
    const struct remora_clock *clock = remora_clock_system();
    struct stat found;
    if (stat(watched->path, &found) != 0) {
        return absent_ms(watched);
    }
    watched->gone_ms = 0;
    if (!S_ISREG(found.st_mode)) {
        return 0;
    }
    bool is_same = found.st_ino == watched->inode;
    watched->inode = found.st_ino;
    int64_t age_ms = clock->unix_ms(clock) - unix_ms_of(&found.st_mtim);
    return is_same && age_ms >= 0 && age_ms < QUIET_MS ? (uint64_t)(QUIET_MS - age_ms) : 0;
}

static uint64_t longest_busy_ms(struct control *control)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < control->watched_count; i++) {
        uint64_t busy = busy_ms(&control->watched[i]);
        longest = busy > longest ? busy : longest;
    }
    return longest;
}

struct burst {
    uint64_t quiet_ms; /* when it is over unless more comes */
    uint64_t end_ms;
    uint64_t write_end_ms; /* nobody is waited for beyond it */
};

/* When to look again; not after now: it is over. */
static uint64_t next_look_ms(struct control *control, const struct burst *burst, uint64_t now)
{
    uint64_t next = burst->quiet_ms < burst->end_ms ? burst->quiet_ms : burst->end_ms;
    uint64_t written = now + longest_busy_ms(control);
    written = written < burst->write_end_ms ? written : burst->write_end_ms;
    return next > written ? next : written;
}

/* Waits until the files have been quiet; a signal meanwhile wins. */
static enum control_event settle(struct control *control)
{
    struct pollfd waiting[2] = {{.fd = control->signal_fd, .events = POLLIN},
                                {.fd = control->watch_fd, .events = POLLIN}};
    uint64_t now = now_ms();
    struct burst burst = {now + QUIET_MS, now + LONGEST_BURST_MS, now + LONGEST_WRITE_MS};
    uint64_t next = next_look_ms(control, &burst, now);
    while (next > now) {
        int ready = poll(waiting, 2, (int)(next - now));
        if (ready > 0 && waiting[0].revents != 0) {
            return read_signal(control->signal_fd);
        }
        now = now_ms();
        if (ready > 0 && empty_watch(control)) {
            burst.quiet_ms = now + QUIET_MS;
        }
        next = next_look_ms(control, &burst, now);
    }
    return CONTROL_RELOAD;
}

enum control_event control_wait_signal(struct control *control, int timeout_ms)
{
    struct pollfd waiting = {.fd = control->signal_fd, .events = POLLIN};
    return poll(&waiting, 1, timeout_ms) > 0 ? read_signal(control->signal_fd) : CONTROL_NOTHING;
}

enum control_event control_wait(struct control *control, int timeout_ms)
{
    struct pollfd waiting[2] = {{.fd = control->signal_fd, .events = POLLIN},
                                {.fd = control->watch_fd, .events = POLLIN}};
    bool is_to_look = control->is_blind && (timeout_ms < 0 || timeout_ms > LOOK_MS);
    int ready = poll(waiting, control->watch_fd >= 0 ? 2 : 1, is_to_look ? LOOK_MS : timeout_ms);
    if (ready <= 0) {
        return looks_changed(control) ? settle(control) : CONTROL_NOTHING;
    }
    if (waiting[0].revents != 0) {
        return read_signal(control->signal_fd);
    }
    return empty_watch(control) ? settle(control) : CONTROL_NOTHING;
}

void control_close(struct control *control)
{
    if (control->signal_fd >= 0) {
        close(control->signal_fd);
    }
    if (control->watch_fd >= 0) {
        close(control->watch_fd);
    }
    control_unwatch(control);
    remora_free(control->watched);
}

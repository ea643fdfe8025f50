/*
 * What the control thread waits for: signals by signalfd, changes of the configuration's files by inotify.
 *
 * A ConfigMap is swapped by renaming `..data` in its folder, so the folder is watched, not the file (kubernetes.md
 * section 3 "Hot reload"). So is the folder of every file that the document names: policies, keys, hashes, authorities, which
 * Secrets swap in the same way. Of what happens there only `..data` and the named files count: a folder may be busy with
 * other things. A file of a volume that lies in a folder of its own there (`items: [{path: sub/key}]`) is reached through a
 * link to the folder of the old data; the kubelet deletes that after the swap, which is seen too. A burst of changes is one
 * reload, 250 ms after the last and at most 2 s after the first.
 */
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app.h"
#include "remora/clock.h"
#include "remora/memory.h"

enum { QUIET_MS = 250, LONGEST_BURST_MS = 2000 };

/* One file: the watch of its folder and its name there. */
struct control_watched {
    int folder;
    char *name;
};

void control_unwatch(struct control *control)
{
    for (size_t i = 0; i < control->watched_count; i++) {
        remora_free(control->watched[i].name);
    }
    control->watched_count = 0;
}

static bool is_watched(const struct control *control, int folder, const char *name)
{
    for (size_t i = 0; i < control->watched_count; i++) {
        if (control->watched[i].folder == folder && strcmp(control->watched[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Without memory a file is not watched; SIGHUP still reloads it. */
static void add_watched(struct control *control, int folder, const char *name)
{
    if (control->watched_count == control->watched_capacity) {
        size_t capacity = control->watched_capacity == 0 ? 16 : control->watched_capacity * 2;
        struct control_watched *grown = remora_realloc(control->watched, capacity * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        control->watched = grown;
        control->watched_capacity = capacity;
    }
    char *copy = remora_strdup(remora_slice_of(name));
    if (copy != NULL) {
        control->watched[control->watched_count++] = (struct control_watched){folder, copy};
    }
}

static void watch_in(struct control *control, const char *folder_path, const char *name)
{
    if (control->watch_fd < 0) {
        control->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    }
    if (control->watch_fd < 0) {
        return;
    }
    int folder = inotify_add_watch(control->watch_fd, folder_path,
                                   IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF |
                                       IN_MOVE_SELF | IN_ONLYDIR);
    if (folder >= 0 && !is_watched(control, folder, name)) {
        add_watched(control, folder, name);
    }
}

void control_watch(struct control *control, const char *path)
{
    char *folder =
        remora_strdup(remora_slice_of(path)); /* dirname and basename write into theirs */
    char *name = remora_strdup(remora_slice_of(path));
    if (folder != NULL && name != NULL) {
        watch_in(control, dirname(folder), basename(name));
    }
    remora_free(folder);
    remora_free(name);
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

/* Events that were lost may have been ours; a folder that went away has given its name to another one. */
static bool concerns(const struct control *control, const struct inotify_event *event)
{
    if ((event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
        return true;
    }
    for (size_t i = 0; i < control->watched_count && event->len > 0; i++) {
        if (control->watched[i].folder == event->wd &&
            (strcmp(event->name, "..data") == 0 ||
             strcmp(event->name, control->watched[i].name) == 0)) {
            return true;
        }
    }
    return false;
}

/* True when anything of what was read concerns the configuration. */
static bool empty_watch(const struct control *control)
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

/* Waits until the files have been quiet; a signal meanwhile wins. */
static enum control_event settle(struct control *control)
{
    struct pollfd waiting[2] = {{.fd = control->signal_fd, .events = POLLIN},
                                {.fd = control->watch_fd, .events = POLLIN}};
    uint64_t now = now_ms();
    uint64_t end = now + LONGEST_BURST_MS;
    uint64_t quiet = now + QUIET_MS;
    while (now < quiet && now < end) {
        int ready = poll(waiting, 2, (int)((quiet < end ? quiet : end) - now));
        if (ready > 0 && waiting[0].revents != 0) {
            return read_signal(control->signal_fd);
        }
        now = now_ms();
        if (ready > 0 && empty_watch(control)) {
            quiet = now + QUIET_MS;
        }
    }
    return CONTROL_RELOAD;
}

enum control_event control_wait(struct control *control, int timeout_ms)
{
    struct pollfd waiting[2] = {{.fd = control->signal_fd, .events = POLLIN},
                                {.fd = control->watch_fd, .events = POLLIN}};
    int ready = poll(waiting, control->watch_fd >= 0 ? 2 : 1, timeout_ms);
    if (ready <= 0) {
        return CONTROL_NOTHING;
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

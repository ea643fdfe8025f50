/*
 * What the control thread waits for: signals by signalfd, changes of the configuration's folders by inotify.
 *
 * A ConfigMap is swapped by renaming `..data` in its folder, so the folder is watched, not the file (kubernetes.md
 * section 3 "Hot reload"). So is the folder of every file that the document names: policies, keys, hashes, authorities, which
 * Secrets swap in the same way. A burst of changes is one reload, 250 ms after the last.
 */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "remora/memory.h"

#define QUIET_MS 250

void control_watch(struct control *control, const char *path)
{
    char *copy = remora_strdup(remora_slice_of(path));
    if (copy == NULL) {
        return;
    }
    if (control->watch_fd < 0) {
        control->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    }
    if (control->watch_fd >= 0) {
        (void)inotify_add_watch(control->watch_fd, dirname(copy),
                                IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
    }
    remora_free(copy);
}

bool control_open(struct control *control, const char *config_path)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    control->watch_fd = -1;
    control->signal_fd = -1;
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return false;
    }
    control->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (config_path != NULL) {
        control_watch(control, config_path);
    }
    return control->signal_fd >= 0;
}

/* True when anything was read. */
static bool empty_watch(int fd)
{
    char bytes[4096] __attribute__((aligned(8)));
    bool has_any = false;
    while (read(fd, bytes, sizeof bytes) > 0) {
        has_any = true;
    }
    return has_any;
}

static enum control_event read_signal(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return CONTROL_NOTHING;
    }
    return info.ssi_signo == SIGHUP ? CONTROL_RELOAD : CONTROL_STOP;
}

/* Waits until the folder has been quiet; a signal meanwhile wins. */
static enum control_event settle(struct control *control)
{
    struct pollfd waiting[2] = {{.fd = control->signal_fd, .events = POLLIN},
                                {.fd = control->watch_fd, .events = POLLIN}};
    for (;;) {
        int ready = poll(waiting, 2, QUIET_MS);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            return CONTROL_RELOAD;
        }
        if (waiting[0].revents != 0) {
            return read_signal(control->signal_fd);
        }
        empty_watch(control->watch_fd);
    }
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
    return empty_watch(control->watch_fd) ? settle(control) : CONTROL_NOTHING;
}

void control_close(struct control *control)
{
    if (control->signal_fd >= 0) {
        close(control->signal_fd);
    }
    if (control->watch_fd >= 0) {
        close(control->watch_fd);
    }
}

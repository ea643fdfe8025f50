/* See goaway.h. */
#include "goaway.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Of 64 KiB: the core writes on long before, so no frame of its is cut in two. */
enum { NEARLY_SENT_BYTES = 8192 };

#define GOAWAY(length, code, text) \
    "\0\0" length "\x07\0\0\0\0\0" \
    "\x7f\xff\xff\xff"             \
    "\0\0\0" code text
#define PING     "\0\0\x08\x06\0\0\0\0\0farewell"
#define NO_ERROR "\0"
#define CALM     "\x0b"
#define WORD(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

static const struct {
    const char *frames;
    size_t length;
} WORDS[] = {
    [REMORA_GRPC_TOO_MANY_RESETS] = WORD(GOAWAY("\x17", CALM, "too_many_resets")),
    [REMORA_GRPC_TOO_MANY_FRAMES] = WORD(GOAWAY("\x17", CALM, "too_many_frames")),
    [REMORA_GRPC_FAREWELL] = WORD(GOAWAY("\x08", NO_ERROR, "") PING),
    [REMORA_GRPC_PING] = WORD(PING),
};

bool remora_grpc_say(int fd, enum remora_grpc_word word)
{
    int waiting = 0;
    return ioctl(fd, SIOCOUTQ, &waiting) == 0 && waiting < NEARLY_SENT_BYTES &&
           send(fd, WORDS[word].frames, WORDS[word].length, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/*
 * Words of ours on a plaintext connection of the core's, which cannot be asked to say them to one connection alone: whole frames
 * between two of its own (RFC 9113 sections 6.7, 6.8 and 7). GOAWAY names the greatest stream, since any may have been
 * answered. Worker 0's thread.
 */
#ifndef REMORA_GRPC_GOAWAY_H
#define REMORA_GRPC_GOAWAY_H

#include "remora/base.h"

enum remora_grpc_word {
    REMORA_GRPC_TOO_MANY_RESETS, /* ENHANCE_YOUR_CALM */
    REMORA_GRPC_TOO_MANY_FRAMES, /* ENHANCE_YOUR_CALM */
    REMORA_GRPC_FAREWELL,        /* NO_ERROR, and a PING */
    REMORA_GRPC_PING,            /* its eight bytes are none that a core counts up to */
};
/* False: it might fall into the middle of a frame now. */
bool remora_grpc_say(int fd, enum remora_grpc_word word);

#endif

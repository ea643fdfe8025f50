/* The allocation seam, for the files of this folder that take memory without remora_alloc (secrets). */
#ifndef REMORA_BASE_SEAM_H
#define REMORA_BASE_SEAM_H

#include <stdbool.h>

/* Counts one allocation; true when a test wants it to fail. Any thread. */
bool remora_alloc_is_refused(void);

#endif

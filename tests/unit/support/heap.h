/* What lies in the heap of this process: live blocks as they were asked for, whatever the allocator's slack and the clock. */
#ifndef REMORA_TEST_HEAP_H
#define REMORA_TEST_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Only AddressSanitizer can tell: malloc's own account takes what a thread keeps to give out again for used. */
bool test_heap_is_counted(void);
/* Bytes of all live blocks; 0 where they are not counted. Any thread. */
size_t test_heap_bytes(void);

#endif

#include "heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_COUNTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_COUNTED 1
#endif
#endif
#ifdef HEAP_IS_COUNTED
/* Of sanitizer/allocator_interface.h, which gcc does not ship. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

bool test_heap_is_counted(void)
{
#ifdef HEAP_IS_COUNTED
    return true;
#else
    return false;
#endif
}

size_t test_heap_bytes(void)
{
#ifdef HEAP_IS_COUNTED
    return __sanitizer_get_current_allocated_bytes();
#else
    return 0;
#endif
}

/* Looking up a header of a provider's response. Names compare without case (RFC 9110 section 5.1). */
#include "remora/transport.h"

struct remora_slice remora_response_header(const struct remora_http_response *response,
                                           const char *name)
{
    struct remora_slice wanted = remora_slice_of(name);
    if (response == NULL) {
        return (struct remora_slice){0};
    }
    for (size_t i = 0; i < response->header_count; i++) {
        if (remora_slice_equal_nocase(response->headers[i].name, wanted)) {
            return response->headers[i].value;
        }
    }
    return (struct remora_slice){0};
}

/* The request as plain data: an empty one, and the list of parameters that its caller stated. */
#include "remora/request.h"

static const char *const parameter_names[REMORA_PARAMETER_COUNT] = {
#define REMORA_PARAMETER(name, text) [REMORA_PARAMETER_##name] = (text),
#include "remora/tbl/parameters.h"
#undef REMORA_PARAMETER
};

const char *remora_parameter_name(enum remora_parameter parameter)
{
    return (unsigned)parameter < REMORA_PARAMETER_COUNT ? parameter_names[parameter] : "";
}

void remora_request_init(struct remora_request *request)
{
    memset(request, 0, sizeof *request);
    remora_preferences_init(&request->provider);
    request->timeout_ms = -1;
    request->idle_timeout_ms = -1;
}

bool remora_request_asks(const struct remora_request *request, enum remora_parameter parameter)
{
    for (size_t i = 0; i < request->asked_count; i++) {
        if (request->asked[i] == (uint8_t)parameter) {
            return true;
        }
    }
    return false;
}

void remora_request_ask(struct remora_request *request, enum remora_parameter parameter)
{
    if ((unsigned)parameter < REMORA_PARAMETER_COUNT && !remora_request_asks(request, parameter)) {
        request->asked[request->asked_count++] = (uint8_t)parameter;
    }
}

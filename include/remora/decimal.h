/*
 * Exact decimals for prices. A price is an integer number of pico-USD (1e-12 USD) per token or item; money never meets a
 * float. Pure: any thread, no locale; text that is given is only read.
 */
#ifndef REMORA_DECIMAL_H
#define REMORA_DECIMAL_H

#include "remora/base.h"
#include "remora/codes.h"

enum remora_decimal_exactness { REMORA_DECIMAL_EXACT, REMORA_DECIMAL_ROUNDED };

/*
 * "0.0000025", "5", "1.5e-7" -> value * 10^scale as an integer, rounded half up beyond that. Refuses signs, blanks,
 * empty text and what does not fit 63 bits. `exactness` may be NULL.
 */
REMORA_MUST_CHECK bool remora_decimal_parse(struct remora_slice text, unsigned scale, int64_t *out,
                                            enum remora_decimal_exactness *exactness);
/* The same, rounded down: for a cap, which must not let more through than was said. */
REMORA_MUST_CHECK bool remora_decimal_floor(struct remora_slice text, unsigned scale, int64_t *out,
                                            enum remora_decimal_exactness *exactness);
/* value / 10^scale in plain notation without trailing zeros ("0.0000025", "0"). Returns the length; out holds >= 48. */
size_t remora_decimal_format(int64_t value, unsigned scale, char *out);

#endif

/* Small readers and writers of text from outside. No locale, no ctype, no sscanf. All pure, any thread; nothing is kept of what is given. */
#ifndef REMORA_TEXT_H
#define REMORA_TEXT_H

#include "remora/base.h"
#include "remora/buf.h"
#include "remora/codes.h"

/* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF. */
bool remora_utf8_is_valid(struct remora_slice s);
/* Bytes of the first character, 0 when it is not well-formed or s is empty. */
size_t remora_utf8_length(struct remora_slice s);
/* Bytes at the end of s (0 to 3) that begin a character without ending it. */
size_t remora_utf8_incomplete(struct remora_slice s);
/* The longest prefix of at most `bytes` that does not cut a character. */
size_t remora_utf8_cut(struct remora_slice s, size_t bytes);
/* Decimal digits only, no sign, no blanks, whole slice. */
REMORA_MUST_CHECK bool remora_parse_u64(struct remora_slice s, uint64_t *out);
/*
 * Retry-After (RFC 9110 section 10.2.3): seconds or an HTTP date relative to now; `retry-after-ms` in is_ms. Clamped to
 * 0..3600000 ms. False when it is neither.
 */
enum remora_retry_after_unit { REMORA_RETRY_AFTER_SECONDS, REMORA_RETRY_AFTER_MS };
REMORA_MUST_CHECK bool remora_parse_retry_after(struct remora_slice value,
                                                enum remora_retry_after_unit unit,
                                                int64_t now_unix_ms, int64_t *out_ms);
/* `grpc-timeout` is the core's; this is for "250ms", "30s", "5m" and protobuf's "34.4s". */
REMORA_MUST_CHECK bool remora_parse_duration_ms(struct remora_slice s, int64_t *out_ms);
/*
 * Whether the last label of a host, a dot behind it aside, is a number, decimal or "0x...": then the host is an IPv4 address in
 * one of its spellings, or refused, and never a name (WHATWG URL Standard, "ends-in-a-number checker").
 */
bool remora_host_ends_in_number(struct remora_slice host);
/*
 * The ASCII character at *at, or what a reader that tells no capitals from small letters may take it for: U+017F is an s to
 * it, U+212A a k, U+0130 and U+0131 are an i (Unicode CaseFolding.txt, status C and T; Go's encoding/json, "Unmarshal";
 * Java's String.equalsIgnoreCase). In its own case; of any other character its first byte. Moves *at behind what was read.
 */
char remora_text_letter(struct remora_slice text, size_t *at);
/* Whether such a reader takes the name, UTF-8, for the other one, which is ASCII. */
bool remora_names_alike(struct remora_slice name, struct remora_slice ascii);
/* `*` matches any run of bytes, the rest literally; linear in practice, no recursion. */
bool remora_wildcard_match(struct remora_slice pattern, struct remora_slice text);
/* Appends lower-case hex. */
void remora_append_hex(struct remora_buf *buf, struct remora_slice bytes);
/* Levenshtein distance, at most `limit` + 1; for "did you mean". Inputs over 64 bytes give limit + 1. */
unsigned remora_edit_distance(struct remora_slice a, struct remora_slice b, unsigned limit);
/* SHA-256 (FIPS 180-4), for names that must not be read back; begin, any number of adds, end. */
#define REMORA_SHA256_BYTES 32
struct remora_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
};
void remora_sha256_begin(struct remora_sha256 *hash);
void remora_sha256_add(struct remora_sha256 *hash, struct remora_slice bytes);
void remora_sha256_end(struct remora_sha256 *hash, uint8_t out[REMORA_SHA256_BYTES]);
/* Standard base64 with padding (RFC 4648 section 4). */
void remora_append_base64(struct remora_buf *buf, struct remora_slice bytes);
/* Strict: padding required, no blanks. The output is never longer than 3/4 of the input. */
REMORA_MUST_CHECK bool remora_base64_decode(struct remora_slice text, char *out,
                                            size_t *out_length);
/* Whether remora_base64_decode would take it. */
bool remora_base64_is_valid(struct remora_slice text);

#endif

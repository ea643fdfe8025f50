/*
 * A provider's words on their way to a caller: one line, without URLs, without the secrets that the provider is sent (its keys
 * and secret headers, compared byte by byte) and without anything else that looks like a key.
 * Words are what stands between blanks. Removed: a word with "://" in it, a word with a known key prefix (with quotes or
 * brackets before it), the word behind "Bearer", any run of 32 or more key characters with a digit in it, and every
 * word that holds a secret. A secret of less than SHORT_SECRET_BYTES counts only where no key character stands beside it:
 * else one letter for a key would remove everything.
 */
#include "envelope.h"

#include "remora/provider.h"
#include "remora/secret.h"
#include "remora/text.h"

#include <stdio.h>

static const char *const key_prefixes[] = {
    "sk-", "pk-",    "sk_", "gsk_", "xai-", "hf_",  "pplx-", "AIza", "AKIA",       "ASIA",
    "eyJ", "nvapi-", "r8_", "csk-", "fw_",  "key-", "tgp_",  "ghp_", "github_pat_"};
static const char removed[] = "[removed]";

static bool is_blank(char byte)
{
    return (unsigned char)byte <= 0x20 || byte == 0x7f;
}

static bool is_key_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '+' ||
           byte == '/' || byte == '*';
}

static bool has_long_run(struct remora_slice word)
{
    size_t run = 0;
    bool has_digit = false;
    for (size_t i = 0; i < word.length; i++) {
        if (!is_key_byte(word.data[i])) {
            run = 0;
            has_digit = false;
            continue;
        }
        has_digit |= word.data[i] >= '0' && word.data[i] <= '9';
        run++;
        if (run >= 32 && has_digit) {
            return true;
        }
    }
    return false;
}

/* A prefix counts where a word begins: at its start or behind a byte that no key holds. */
static bool has_key_prefix(struct remora_slice word)
{
    for (size_t at = 0; at < word.length; at++) {
        if (at > 0 && is_key_byte(word.data[at - 1])) {
            continue;
        }
        struct remora_slice rest = remora_slice(word.data + at, word.length - at);
        for (size_t i = 0; i < REMORA_COUNT_OF(key_prefixes); i++) {
            struct remora_slice prefix = remora_slice_of(key_prefixes[i]);
            if (remora_slice_starts_with(rest, prefix) && rest.length > prefix.length + 3) {
                return true;
            }
        }
    }
    return false;
}

/* ---- the provider's own secrets, which hold no blank (config/credentials.c): one lies within a word ---- */

enum { SHORT_SECRET_BYTES = 6 };

struct secret_search {
    struct remora_slice word;
    bool is_found;
};

static bool stands_alone(struct remora_slice word, size_t at, size_t end)
{
    return (at == 0 || !is_key_byte(word.data[at - 1])) &&
           (end == word.length || !is_key_byte(word.data[end]));
}

static void find_secret(void *context, struct remora_slice secret)
{
    struct secret_search *search = context;
    struct remora_slice word = search->word;
    for (size_t end = secret.length; secret.length > 0 && end <= word.length; end++) {
        size_t at = end - secret.length;
        search->is_found |= memcmp(word.data + at, secret.data, secret.length) == 0 &&
                            (secret.length >= SHORT_SECRET_BYTES || stands_alone(word, at, end));
    }
}

static void look_for(struct secret_search *search, const struct remora_secret *secret)
{
    if (secret != NULL) {
        remora_secret_use(secret, find_secret, search);
    }
}

bool remora_provider_echoes_secret(const struct remora_provider *provider, struct remora_slice text)
{
    struct secret_search search = {.word = text};
    for (size_t i = 0; provider != NULL && i < provider->credential_count; i++) {
        look_for(&search, provider->credentials[i].secret);
        look_for(&search, provider->credentials[i].session_token);
    }
    for (size_t i = 0; provider != NULL && i < provider->header_count; i++) {
        look_for(&search, provider->headers[i].secret);
    }
    return search.is_found;
}

/* ---- words ---- */

bool text_has(struct remora_slice text, const char *word)
{
    size_t length = strlen(word);
    for (size_t at = 0; at + length <= text.length; at++) {
        if (remora_slice_equal_nocase(remora_slice(text.data + at, length),
                                      remora_slice(word, length))) {
            return true;
        }
    }
    return false;
}

static bool is_secret(struct remora_slice word, bool after_bearer)
{
    return after_bearer || text_has(word, "://") || text_has(word, "www.") ||
           has_key_prefix(word) || has_long_run(word);
}

static size_t put(char *out, size_t out_bytes, size_t at, struct remora_slice word)
{
    size_t room = out_bytes - 1 - at;
    size_t blank = at > 0 ? 1 : 0;
    if (room <= blank) {
        return at;
    }
    size_t length = remora_utf8_cut(word, room - blank);
    if (blank > 0) {
        out[at] = ' ';
    }
    memcpy(out + at + blank, word.data, length);
    return at + blank + length;
}

void scrub_text(struct remora_slice text, const struct remora_provider *provider, char *out,
                size_t out_bytes)
{
    size_t at = 0;
    bool after_bearer = false;
    for (size_t from = 0; from < text.length && at + 1 < out_bytes;) {
        if (is_blank(text.data[from])) {
            from++;
            continue;
        }
        size_t to = from;
        while (to < text.length && !is_blank(text.data[to])) {
            to++;
        }
        struct remora_slice word = remora_slice(text.data + from, to - from);
        bool hides = is_secret(word, after_bearer) || remora_provider_echoes_secret(provider, word);
        after_bearer = word.length >= 6 && text_has(word, "bearer");
        at = put(out, out_bytes, at, hides ? REMORA_SLICE(removed) : word);
        from = to;
    }
    out[at] = '\0';
}

/*
 * What a refusal is about: the model, our key, or the content of the request. It decides what every other caller feels: a
 * model that is gone rests the endpoint, a refused key rests the key.
 *
 * Decided by structured facts (code, type, param, metadata; read by envelope.c), and where a vendor has none, by a sentence of
 * the vendor's own that the message begins with. Never by words further on: messages quote what the caller wrote.
 */
#include "envelope.h"

#include "remora/catalog.h"

enum extent { BEGINS_WITH, WHOLE };

/* `*` is one word: a run of bytes that are not blanks. Letters in any case; a full stop may end the whole. */
struct sentence {
    const char *pattern;
    enum extent extent;
};

static size_t word_length(struct remora_slice text)
{
    size_t length = 0;
    while (length < text.length && text.data[length] != ' ') {
        length++;
    }
    return length;
}

static struct remora_slice rest_of(struct remora_slice text, size_t at)
{
    return remora_slice(text.data + at, text.length - at);
}

static bool says(struct remora_slice text, const struct sentence *sentence)
{
    for (const char *at = sentence->pattern; *at != '\0'; at++) {
        bool is_word = *at == '*';
        size_t length = is_word ? word_length(text) : 1;
        bool is_same =
            text.length > 0 && length > 0 &&
            (is_word || remora_slice_equal_nocase(remora_slice(text.data, 1), remora_slice(at, 1)));
        if (!is_same) {
            return false;
        }
        text = rest_of(text, length);
    }
    return sentence->extent == BEGINS_WITH || text.length == 0 || remora_slice_is(text, ".");
}

static bool says_any(struct remora_slice text, const struct sentence *sentences, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (says(text, &sentences[i])) {
            return true;
        }
    }
    return false;
}

/* As servers write it that have no code for it. */
static const struct sentence model_sentences[] = {
    {"the model * does not exist", BEGINS_WITH}, /* OpenAI, vLLM, xAI */
    {"model * not found", BEGINS_WITH},          /* Ollama, Cohere */
    {"model * does not exist", BEGINS_WITH},
    {"publisher model * was not found", BEGINS_WITH}, /* Vertex */
    {"not found the model *", BEGINS_WITH},           /* Moonshot */
    {"the model * has been deprecated", BEGINS_WITH}, /* OpenAI */
    {"this model has been deprecated", BEGINS_WITH},
    {"the model * is blocked", BEGINS_WITH},                /* Groq */
    {"you don't have access to the model", BEGINS_WITH},    /* Bedrock */
    {"model not found", BEGINS_WITH},                       /* Fireworks, xAI */
    {"model: *", WHOLE},                                    /* Anthropic */
    {"model is not available", BEGINS_WITH},                /* DeepInfra */
    {"models/* is not found for api version", BEGINS_WITH}, /* Gemini */
    {"function * not found for account", BEGINS_WITH},      /* NIM */
    {"* is not a valid model id", WHOLE},                   /* OpenRouter */
    {"no endpoints found for *", WHOLE},                    /* OpenRouter */
    {"the api deployment for this resource", BEGINS_WITH},  /* Azure */
};

static bool is_elsewhere(const struct envelope *envelope)
{
    return envelope->param.length > 0 && !remora_slice_is(envelope->param, "model");
}

bool about_model(const struct envelope *envelope)
{
    return !is_elsewhere(envelope) &&
           says_any(envelope->message, model_sentences, REMORA_COUNT_OF(model_sentences));
}

static const struct sentence path_sentences[] = {
    {"invalid url (", BEGINS_WITH}, /* OpenAI */
    {"not found", WHOLE},           /* FastAPI */
    {"resource not found", WHOLE},  /* Azure */
};

bool about_path(const struct envelope *envelope)
{
    return !is_elsewhere(envelope) &&
           says_any(envelope->message, path_sentences, REMORA_COUNT_OF(path_sentences));
}

/*
 * Azure, "Configure virtual networks for Foundry Tools" and "Use private endpoints"; OpenAI, "Supported countries": no key of
 * ours would be let through.
 */
static const struct sentence place_sentences[] = {
    {"access denied due to virtual network", BEGINS_WITH},
    {"public access is disabled", BEGINS_WITH},
    {"traffic is not from an approved private endpoint", BEGINS_WITH},
    {"country, region, or territory not supported", BEGINS_WITH},
};

bool about_place(const struct envelope *envelope)
{
    return remora_slice_is(envelope->code, "unsupported_country_region_territory") ||
           says_any(envelope->message, place_sentences, REMORA_COUNT_OF(place_sentences));
}

/* Anthropic's words of an account without credit, under 400 and without a code ("Errors" of its API documents). */
bool about_balance(const struct envelope *envelope)
{
    static const struct sentence sentence = {"your credit balance is too low to access the ",
                                             BEGINS_WITH};
    return remora_slice_is(envelope->type, "invalid_request_error") &&
           envelope->param.length == 0 && says(envelope->message, &sentence);
}

static bool is_part_of_name(char c)
{
    char lower = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '/' ||
           c == '.';
}

/* The text behind `words`, with blanks as in sentences or underscores as in codes; false when it begins with others. */
static bool skip_words(struct remora_slice *text, const char *words)
{
    struct remora_slice wanted = remora_slice_of(words);
    for (size_t i = 0; i < wanted.length; i++) {
        bool is_gap = wanted.data[i] == ' ' && i < text->length && text->data[i] == '_';
        if (i >= text->length ||
            (!is_gap && !remora_slice_equal_nocase(remora_slice(text->data + i, 1),
                                                   remora_slice(wanted.data + i, 1)))) {
            return false;
        }
    }
    *text = rest_of(*text, wanted.length);
    return true;
}

static void skip_openings(struct remora_slice *text)
{
    static const char *const openings[] = {
        "no ",       "such ",      "the ",     "requested ",      "previous ",
        "provided ", "specified ", "invalid ", "could not find ", "cannot find "};
    for (size_t i = 0; i < REMORA_COUNT_OF(openings); i++) {
        if (skip_words(text, openings[i])) {
            i = SIZE_MAX; /* from the first again */
        }
    }
}

/* "No such File object: x", "Previous response with id x not found", "container_expired"; not an image model. */
static bool names_other(struct remora_slice text)
{
    static const char *const others[] = {
        "file",    "files",        "container",      "item",         "items",  "response",
        "thread",  "assistant",    "tool",           "image",        "images", "vector store",
        "batch",   "prompt",       "document",       "audio",        "video",  "skill",
        "session", "conversation", "cached content", "cachedcontent"};
    skip_openings(&text);
    for (size_t i = 0; i < REMORA_COUNT_OF(others); i++) {
        struct remora_slice rest = text;
        if (skip_words(&rest, others[i]) && (rest.length == 0 || !is_part_of_name(rest.data[0]))) {
            return !skip_words(&rest, " model");
        }
    }
    return false;
}

bool about_other(const struct envelope *envelope)
{
    bool is_elsewhere = envelope->param.length > 0 &&
                        !remora_slice_starts_with(envelope->param, REMORA_SLICE("model"));
    return is_elsewhere || names_other(envelope->code) || names_other(envelope->type) ||
           names_other(envelope->message);
}

/* Reasons of our own envelope, and OpenRouter's words for the same (openrouter.md 10.4). */
bool about_policy(const struct envelope *envelope)
{
    static const enum remora_code reasons[] = {REMORA_MODEL_NOT_ALLOWED, REMORA_REGION_RESTRICTED,
                                               REMORA_PRIVACY_RESTRICTED, REMORA_PERMISSION_DENIED};
    for (size_t i = 0; i < REMORA_COUNT_OF(reasons); i++) {
        if (remora_slice_is(envelope->reason, remora_code_row(reasons[i])->name)) {
            return true;
        }
    }
    return remora_slice_is(envelope->code, "region_restricted") ||
           remora_slice_is(envelope->code, "privacy_restricted");
}

/* openrouter.md 10.5 (guardrails, moderation); xAI "Content violates usage guidelines", its error page. */
static const struct sentence content_sentences[] = {
    {"request blocked: prompt injection", BEGINS_WITH},
    {"request blocked by content filter:", BEGINS_WITH},
    {"blocked pii detected:", BEGINS_WITH},
    {"your input was flagged", BEGINS_WITH},
    {"content violates usage guidelines", BEGINS_WITH},
};

bool about_content(const struct envelope *envelope)
{
    return envelope->is_moderated ||
           says_any(envelope->message, content_sentences, REMORA_COUNT_OF(content_sentences));
}

/* xAI answers 400 for a bad key and has no code of its own for it. Nothing of the caller's stands before the key there. */
bool about_key(const struct envelope *envelope, const struct remora_endpoint *endpoint)
{
    static const struct sentence sentence = {"incorrect api key provided: *", BEGINS_WITH};
    return endpoint != NULL &&
           remora_dialect_of(&endpoint->provider->facts) == REMORA_DIALECT_XAI &&
           remora_slice_is(envelope->code, "Client specified an invalid argument") &&
           says(envelope->message, &sentence);
}

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

/* As servers write it that have no code for it; the last three: nothing is served under the path, which callers do not choose. */
static const struct sentence model_sentences[] = {
    {"the model * does not exist", BEGINS_WITH},            /* OpenAI, vLLM, xAI */
    {"model * not found", BEGINS_WITH},                     /* Ollama, Cohere */
    {"model not found", BEGINS_WITH},                       /* Fireworks, xAI */
    {"model: *", WHOLE},                                    /* Anthropic */
    {"model is not available", BEGINS_WITH},                /* DeepInfra */
    {"models/* is not found for api version", BEGINS_WITH}, /* Gemini */
    {"function * not found for account", BEGINS_WITH},      /* NIM */
    {"* is not a valid model id", WHOLE},                   /* OpenRouter */
    {"no endpoints found for *", WHOLE},                    /* OpenRouter */
    {"the api deployment for this resource", BEGINS_WITH},  /* Azure */
    {"invalid url (", BEGINS_WITH},                         /* OpenAI */
    {"not found", WHOLE},                                   /* FastAPI */
    {"resource not found", WHOLE},                          /* Azure */
};

bool about_model(const struct envelope *envelope)
{
    bool is_elsewhere = envelope->param.length > 0 && !remora_slice_is(envelope->param, "model");
    return !is_elsewhere &&
           says_any(envelope->message, model_sentences, REMORA_COUNT_OF(model_sentences));
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

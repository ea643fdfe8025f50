/*
 * What an answer that is not a success means.
 *
 * The HTTP status gives the class (codes.md; providers.md 0.3); the body may give a closer one. What rests an endpoint or a key
 * for every caller (a model that is gone, a key that is refused) is judged by what no caller can make a provider say
 * (about.c); context length and content policy, which concern one request, also by sentences. Only faults of the request tell those words to the caller, scrubbed; what concerns the
 * gateway's credential, quota or the provider's health never does.
 */
#include "envelope.h"

#include "remora/hop.h"
#include "remora/limits.h"
#include "remora/text.h"

#include <stdio.h>

enum remora_code remora_classify_status(int status, enum remora_cause *cause)
{
    *cause = REMORA_CAUSE_CLIENT_ERROR;
    switch (status) {
    case 401:
    case 402:
    case 403:
        *cause = REMORA_CAUSE_CREDENTIAL;
        return REMORA_UPSTREAM_CREDENTIAL;
    case 404:
    case 410: /* nothing else can be missing where nobody says what is */
        return REMORA_MODEL_UNAVAILABLE_UPSTREAM;
    case 408:
        return REMORA_UPSTREAM_TIMEOUT;
    case 407: /* of a proxy on the way */
    case 409:
    case 424:
    case 425:
    case 499:
        return REMORA_UPSTREAM_UNAVAILABLE;
    case 413:
        return REMORA_CONTEXT_LENGTH;
    case 429:
        *cause = REMORA_CAUSE_RATE_LIMIT;
        return REMORA_CAPACITY_EXHAUSTED;
    case 498: /* Groq: flex tier at capacity */
        *cause = REMORA_CAUSE_SERVER_ERROR;
        return REMORA_UPSTREAM_OVERLOADED;
    default:
        break;
    }
    if (status >= 500 && status <= 599) {
        *cause = REMORA_CAUSE_SERVER_ERROR;
        return REMORA_UPSTREAM_OVERLOADED;
    }
    if (status >= 400 && status <= 499) {
        return REMORA_UPSTREAM_REFUSED_REQUEST;
    }
    *cause = status >= 300 && status <= 399 ? REMORA_CAUSE_REDIRECT : REMORA_CAUSE_BAD_RESPONSE;
    return REMORA_UPSTREAM_UNAVAILABLE;
}

int64_t remora_response_retry_after_ms(const struct remora_http_response *head, int64_t now_unix_ms)
{
    int64_t delay_ms = -1;
    struct remora_slice ms = remora_response_header(head, "retry-after-ms");
    if (ms.length > 0 &&
        remora_parse_retry_after(ms, REMORA_RETRY_AFTER_MS, now_unix_ms, &delay_ms)) {
        return delay_ms;
    }
    struct remora_slice value = remora_response_header(head, "retry-after");
    if (value.length > 0 &&
        remora_parse_retry_after(value, REMORA_RETRY_AFTER_SECONDS, now_unix_ms, &delay_ms)) {
        return delay_ms;
    }
    return -1;
}

/* A word of `code` or `type`, and the class it stands for. Sources: the vendors' error pages as read for providers.md. */
struct word {
    const char *text;
    enum remora_code code;
};
static const struct word words[] = {
    {"context_length_exceeded", REMORA_CONTEXT_LENGTH},
    {"context_window_exceeded", REMORA_CONTEXT_LENGTH},
    {"string_above_max_length", REMORA_CONTEXT_LENGTH},
    {"payload_too_large", REMORA_CONTEXT_LENGTH},
    {"exceed_context_size_error", REMORA_CONTEXT_LENGTH}, /* llama.cpp */
    {"content_policy_violation", REMORA_CONTENT_POLICY},
    {"content_filter", REMORA_CONTENT_POLICY},
    {"ResponsibleAIPolicyViolation", REMORA_CONTENT_POLICY},
    {"data_inspection_failed", REMORA_CONTENT_POLICY},
    {"moderation_blocked", REMORA_CONTENT_POLICY},
    {"invalid_api_key", REMORA_UPSTREAM_CREDENTIAL},
    {"API_KEY_INVALID", REMORA_UPSTREAM_CREDENTIAL}, /* Google, under 400 */
    {"authentication_error", REMORA_UPSTREAM_CREDENTIAL},
    {"authentication", REMORA_UPSTREAM_CREDENTIAL},
    {"permission_error", REMORA_UPSTREAM_CREDENTIAL},
    {"permission_denied", REMORA_UPSTREAM_CREDENTIAL},
    {"payment_required", REMORA_UPSTREAM_CREDENTIAL},
    {"model_not_found", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"model_decommissioned", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"model_not_available", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"model_not_supported", REMORA_MODEL_UNAVAILABLE_UPSTREAM}, /* Hugging Face's router */
    {"DeploymentNotFound", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"invalid_model", REMORA_MODEL_UNAVAILABLE_UPSTREAM}, /* Mistral, Perplexity, under 400 */
    {"no_endpoints", REMORA_MODEL_UNAVAILABLE_UPSTREAM}, /* this and the next: openrouter.md 10.4 */
    {"model_deprecated", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"model_unavailable_upstream", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"model_permission_blocked_org",
     REMORA_MODEL_UNAVAILABLE_UPSTREAM}, /* this and the next: Groq */
    {"model_permission_blocked_project", REMORA_MODEL_UNAVAILABLE_UPSTREAM},
    {"rate_limit_exceeded", REMORA_CAPACITY_EXHAUSTED},
    {"rate_limit_error", REMORA_CAPACITY_EXHAUSTED},
    {"RESOURCE_EXHAUSTED", REMORA_CAPACITY_EXHAUSTED},
    {"overloaded_error", REMORA_UPSTREAM_OVERLOADED},
    {"provider_overloaded", REMORA_UPSTREAM_OVERLOADED},
    {"server_error", REMORA_UPSTREAM_OVERLOADED},
    {"internal_server_error", REMORA_UPSTREAM_OVERLOADED},
    {"InternalServerError", REMORA_UPSTREAM_OVERLOADED},
    {"api_error", REMORA_UPSTREAM_OVERLOADED},
    {"timeout",
     REMORA_UPSTREAM_OVERLOADED}, /* the word of 504: of the provider's own, not of ours */
    {"timeout_error", REMORA_UPSTREAM_OVERLOADED},
    {"invalid_request_error", REMORA_UPSTREAM_REFUSED_REQUEST},
    {"invalid_request", REMORA_UPSTREAM_REFUSED_REQUEST},
    {"BadRequestError", REMORA_UPSTREAM_REFUSED_REQUEST},
    {"INVALID_ARGUMENT", REMORA_UPSTREAM_REFUSED_REQUEST},
};

static enum remora_code word_code(struct remora_slice word)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (remora_slice_equal_nocase(word, remora_slice_of(words[i].text))) {
            return words[i].code;
        }
    }
    return REMORA_OK;
}

/*
 * Sentences of providers that have no code for it, never a word alone: a refusal may name a parameter or a tool so. A long
 * quotation of the prompt cannot make one: only the start counts.
 */
static const struct word phrases[] = {
    {"maximum context length", REMORA_CONTEXT_LENGTH}, /* OpenAI, vLLM, DeepSeek, OpenRouter */
    {"maximum context size", REMORA_CONTEXT_LENGTH},
    {"available context size", REMORA_CONTEXT_LENGTH}, /* llama.cpp */
    {"model's context length", REMORA_CONTEXT_LENGTH}, /* SGLang */
    {"context length exceeded", REMORA_CONTEXT_LENGTH},
    {"exceeds the context length", REMORA_CONTEXT_LENGTH},
    {"exceeds the context window", REMORA_CONTEXT_LENGTH}, /* OpenAI */
    {"exceeds the model's context window", REMORA_CONTEXT_LENGTH},
    {"exceeds this model's context window", REMORA_CONTEXT_LENGTH},
    {"exceed context limit", REMORA_CONTEXT_LENGTH},     /* Anthropic */
    {"prompt is too long", REMORA_CONTEXT_LENGTH},       /* Anthropic, Fireworks */
    {"input is too long", REMORA_CONTEXT_LENGTH},        /* Bedrock */
    {"too many tokens: ", REMORA_CONTEXT_LENGTH},        /* Cohere */
    {"maximum prompt length is", REMORA_CONTEXT_LENGTH}, /* xAI */
    {"exceeds the maximum number of tokens allowed", REMORA_CONTEXT_LENGTH}, /* Gemini */
    {"content management policy", REMORA_CONTENT_POLICY},                    /* Azure */
    {"blocked by content filter", REMORA_CONTENT_POLICY}, /* OpenRouter, Anthropic */
    {"violates our content policy", REMORA_CONTENT_POLICY},
    {"violates the content policy", REMORA_CONTENT_POLICY},
    {"rejected as a result of our safety system", REMORA_CONTENT_POLICY}, /* OpenAI */
    {"rejected by the safety system", REMORA_CONTENT_POLICY},
    {"your input was flagged", REMORA_CONTENT_POLICY},  /* OpenRouter */
    {"your prompt was flagged", REMORA_CONTENT_POLICY}, /* OpenAI */
    {"your request was flagged", REMORA_CONTENT_POLICY},
    {"flagged by moderation", REMORA_CONTENT_POLICY},
    {"content violates usage guidelines", REMORA_CONTENT_POLICY}, /* xAI */
};

/* Codes of OpenAI and of those who speak its wire: one parameter is bad, and the message may quote its value. */
static const char *const parameter_codes[] = {
    "unknown_parameter",
    "unsupported_parameter",
    "unsupported_value",
    "invalid_parameter",
    "invalid_type",
    "invalid_value",
    "invalid_enum_value",
    "missing_required_parameter",
    "invalid_function_parameters",
    "invalid_json_schema",
    "integer_above_max_value",
    "integer_below_min_value",
    "decimal_above_max_value",
    "decimal_below_min_value",
    "array_above_max_length",
    "array_below_min_length",
    "string_below_min_length",
    "duplicate_parameter",
    "mutually_exclusive_parameters",
};

/* What a prompt is made of, and what shares the window with it (vLLM names either). */
static const char *const prompt_params[] = {
    "messages",          "prompt",       "input",      "inputs",
    "contents",          "input_tokens", "max_tokens", "max_completion_tokens",
    "max_output_tokens",
};

static bool is_one_of(struct remora_slice word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_equal_nocase(word, remora_slice_of(list[i]))) {
            return true;
        }
    }
    return false;
}

/* `messages` of `messages[2].content`. */
static struct remora_slice head_of(struct remora_slice param)
{
    size_t length = 0;
    while (length < param.length && param.data[length] != '.' && param.data[length] != '[') {
        length++;
    }
    return remora_slice(param.data, length);
}

/* The refusal is about a member that is no part of the prompt: its words say nothing about the prompt. */
static bool is_about_parameter(const struct envelope *envelope)
{
    struct remora_slice head = head_of(envelope->param);
    return is_one_of(envelope->code, parameter_codes, REMORA_COUNT_OF(parameter_codes)) ||
           (head.length > 0 && !is_one_of(head, prompt_params, REMORA_COUNT_OF(prompt_params)));
}

static struct remora_slice start_of(struct remora_slice message)
{
    message.length = message.length > 200 ? 200 : message.length;
    return message;
}

static enum remora_code phrase_code(const struct envelope *envelope)
{
    struct remora_slice message = start_of(envelope->message);
    bool says_prompt = !is_about_parameter(envelope);
    for (size_t i = 0; i < REMORA_COUNT_OF(phrases) && says_prompt; i++) {
        if (text_has(message, phrases[i].text)) {
            return phrases[i].code;
        }
    }
    bool is_gone = text_has(message, "does not exist") || text_has(message, "not found");
    bool is_model = remora_slice_is(envelope->param, "model") && is_gone;
    return is_model || about_model(envelope) || about_path(envelope)
               ? REMORA_MODEL_UNAVAILABLE_UPSTREAM
               : REMORA_OK;
}

static enum remora_code said_code(const struct envelope *envelope,
                                  const struct remora_endpoint *endpoint)
{
    if (about_key(envelope, endpoint)) {
        return REMORA_UPSTREAM_CREDENTIAL;
    }
    enum remora_code code = word_code(envelope->code);
    if (code != REMORA_OK && code != REMORA_UPSTREAM_REFUSED_REQUEST) {
        return code;
    }
    enum remora_code phrase = phrase_code(envelope);
    if (phrase != REMORA_OK) {
        return phrase;
    }
    return code != REMORA_OK ? code : word_code(envelope->type);
}

/* What stands before the first quotation: further on it may be a caller's. An apostrophe within a word is none. */
static struct remora_slice own_words(struct remora_slice message)
{
    message = start_of(message);
    for (size_t i = 0; i < message.length; i++) {
        char c = message.data[i];
        bool is_quote = c == '"' || c == '`' || c == ':' ||
                        (c == '\'' && (i == 0 || message.data[i - 1] == ' '));
        if (is_quote) {
            message.length = i;
        }
    }
    return message;
}

/*
 * What the account may spend is spent: waiting does not cure it, whatever the status says (reliability.md F20, F23). What a
 * minute allows is not meant: providers speak of quotas there, too, but with other codes. Sentences count only where the status
 * is about the account, no code says that it is a rate, and before anything quoted: no caller must be able to bench a key.
 * 0: in a stream.
 */
static bool is_quota(const struct envelope *envelope, int status)
{
    static const char *const quota_words[] = {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",           /* OpenAI */
        "billing_error",                /* Anthropic */
        "exceeded_current_quota_error", /* Moonshot */
    };
    static const char *const quota_phrases[] = {"spend limit", "spending limit",
                                                "credit balance is too low"};
    bool is_of_account = status == 402 || status == 403 || status == 429;
    if (!is_of_account && status != 0 && status != 400) {
        return false;
    }
    if (status == 400 && about_balance(envelope)) {
        return true;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(quota_words); i++) {
        struct remora_slice word = remora_slice_of(quota_words[i]);
        if (remora_slice_equal_nocase(envelope->code, word) ||
            remora_slice_equal_nocase(envelope->type, word)) {
            return true;
        }
    }
    bool is_rate = word_code(envelope->code) == REMORA_CAPACITY_EXHAUSTED;
    for (size_t i = 0; i < REMORA_COUNT_OF(quota_phrases) && is_of_account && !is_rate; i++) {
        if (text_has(own_words(envelope->message), quota_phrases[i])) {
            return true;
        }
    }
    return false;
}

/* The class that codes and types give, without sentences. */
static enum remora_code coded(const struct envelope *envelope)
{
    enum remora_code code = word_code(envelope->code);
    bool is_closer = code != REMORA_OK && code != REMORA_UPSTREAM_REFUSED_REQUEST;
    return is_closer ? code : word_code(envelope->type);
}

static enum remora_code closer_refusal(const struct envelope *envelope,
                                       const struct remora_endpoint *endpoint)
{
    enum remora_code said = said_code(envelope, endpoint);
    bool is_closer = said == REMORA_CONTEXT_LENGTH || said == REMORA_CONTENT_POLICY ||
                     said == REMORA_MODEL_UNAVAILABLE_UPSTREAM ||
                     said == REMORA_UPSTREAM_CREDENTIAL;
    return is_closer ? said : REMORA_UPSTREAM_REFUSED_REQUEST;
}

/*
 * 403 is about our key where the provider's own error object says nothing else: that it is about the content, about one
 * model, a policy behind us, or the place that we call from. A page (NULL) is somebody's on the way, a firewall's as a rule:
 * no key is judged by it.
 */
static enum remora_code closer_forbidden(const struct envelope *envelope)
{
    if (envelope == NULL || about_place(envelope)) {
        return REMORA_UPSTREAM_UNAVAILABLE;
    }
    enum remora_code said = coded(envelope);
    if (said == REMORA_CONTENT_POLICY || about_content(envelope)) {
        return REMORA_CONTENT_POLICY;
    }
    bool is_model = said == REMORA_MODEL_UNAVAILABLE_UPSTREAM || about_policy(envelope) ||
                    about_model(envelope) || about_path(envelope);
    return is_model ? REMORA_MODEL_UNAVAILABLE_UPSTREAM : REMORA_UPSTREAM_CREDENTIAL;
}

/* Said of the model by what no caller can make a provider say; a body that says nothing speaks of the path, so of the model. */
static bool names_model(const struct envelope *envelope)
{
    bool says_nothing = envelope->message.length == 0 && envelope->code.length == 0 &&
                        envelope->reason.length == 0 && envelope->param.length == 0;
    return says_nothing || coded(envelope) == REMORA_MODEL_UNAVAILABLE_UPSTREAM ||
           remora_slice_is(envelope->param, "model") || about_model(envelope) ||
           about_path(envelope);
}

/* The model, unless the body says what else is missing: a file, a container, a response. */
static enum remora_code closer_missing(const struct envelope *envelope)
{
    bool is_model = names_model(envelope) || !about_other(envelope);
    return is_model ? REMORA_MODEL_UNAVAILABLE_UPSTREAM : REMORA_UPSTREAM_REFUSED_REQUEST;
}

/* The body's word (NULL: none) replaces the class of the status only within faults of the request, for 403 and for 404. */
static enum remora_code closer_code(const struct envelope *envelope, int status,
                                    const struct remora_endpoint *endpoint, enum remora_code code)
{
    if (status == 403) {
        return closer_forbidden(envelope);
    }
    if (envelope == NULL) {
        return code;
    }
    switch (status) {
    case 400:
    case 422:
        return closer_refusal(envelope, endpoint);
    case 404:
    case 410:
        return closer_missing(envelope);
    default:
        return code;
    }
}

static enum remora_code code_of(const struct envelope *envelope, int status,
                                const struct remora_endpoint *endpoint, enum remora_cause *cause)
{
    if (envelope != NULL && is_quota(envelope, status)) {
        *cause = REMORA_CAUSE_QUOTA;
        return REMORA_UPSTREAM_CREDENTIAL;
    }
    if (status == 0) {
        enum remora_code said = envelope == NULL ? REMORA_OK : said_code(envelope, endpoint);
        *cause = REMORA_CAUSE_IN_BAND;
        return said == REMORA_OK ? REMORA_UPSTREAM_UNAVAILABLE : said;
    }
    enum remora_code code = remora_classify_status(status, cause);
    enum remora_code closer = closer_code(envelope, status, endpoint, code);
    *cause = closer == code ? *cause : REMORA_CAUSE_CLIENT_ERROR;
    return closer;
}

static bool tells_words(enum remora_code code)
{
    return code == REMORA_UPSTREAM_REFUSED_REQUEST || code == REMORA_CONTEXT_LENGTH ||
           code == REMORA_CONTENT_POLICY;
}

/* Whether it is the model that is said to be missing. */
static bool says_model(const struct envelope *envelope)
{
    return envelope != NULL && (coded(envelope) == REMORA_MODEL_UNAVAILABLE_UPSTREAM ||
                                remora_slice_is(envelope->param, "model") || about_model(envelope));
}

/* Of one provider, where the table's own sentence speaks of all or says more than the provider did. */
static const char *sentence_of(enum remora_code code, const struct envelope *envelope)
{
    if (code == REMORA_MODEL_UNAVAILABLE_UPSTREAM && !says_model(envelope)) {
        return envelope != NULL && about_policy(envelope)
                   ? "A policy of the provider's refuses the model to this request."
                   : "The provider found nothing for the request and does not say that it is the "
                     "model.";
    }
    if (code == REMORA_CAPACITY_EXHAUSTED) {
        return "The provider's rate limit is reached.";
    }
    return code == REMORA_UPSTREAM_UNAVAILABLE ? "The provider answered with an error."
                                               : remora_code_row(code)->summary;
}

static void tell(const struct envelope *envelope, const struct remora_endpoint *endpoint,
                 enum remora_code code, struct remora_fail *fail)
{
    const char *summary = sentence_of(code, envelope);
    char words_text[240] = "";
    char param[sizeof fail->param] = "";
    if (envelope != NULL && tells_words(code)) {
        const struct remora_provider *provider = endpoint == NULL ? NULL : endpoint->provider;
        scrub_text(envelope->message, provider, words_text, sizeof words_text);
        scrub_text(envelope->param, provider, param, sizeof param);
    }
    if (words_text[0] == '\0') {
        remora_fail_set(fail, code, param, "%s", summary);
        return;
    }
    int length = (int)strlen(summary) - 1; /* its full stop becomes a colon */
    remora_fail_set(fail, code, param, "%.*s: %s", length, summary, words_text);
}

/*
 * The provider is a Remora, and the request has come round, or went through too many of them: told by the one that found it
 * (WRONG_ENDPOINT), or passed on by one in between. Both words are needed: a vendor's `param` may hold what a caller wrote.
 */
static bool is_loop(const struct envelope *envelope)
{
    return envelope != NULL && remora_slice_is(envelope->param, REMORA_HOP_HEADER) &&
           (remora_slice_is(envelope->reason, remora_code_row(REMORA_WRONG_ENDPOINT)->name) ||
            remora_slice_is(envelope->reason,
                            remora_code_row(REMORA_MODEL_UNAVAILABLE_UPSTREAM)->name));
}

/* A lasting fault of the configuration: the next endpoint is asked, and no retry helps. */
static enum remora_code judge_loop(int status, struct remora_fail *fail)
{
    if (fail != NULL && fail->code == REMORA_OK) {
        fail->cause = REMORA_CAUSE_LOOP;
        fail->upstream_status = status;
    }
    return remora_fail_set(
        fail, REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_HOP_HEADER,
        "The provider is a Remora that refused the request as a loop (header " REMORA_HOP_HEADER
        "): the provider's base_url leads back here, or through too many Remoras; let it name the "
        "model's server.");
}

enum remora_code envelope_judge(const struct envelope *envelope, int status,
                                const struct remora_endpoint *endpoint, enum remora_cause cause,
                                struct remora_fail *fail)
{
    enum remora_cause own = REMORA_CAUSE_NONE;
    if (is_loop(envelope)) {
        return judge_loop(status, fail);
    }
    enum remora_code code = code_of(envelope, status, endpoint, &own);
    if (fail == NULL || fail->code != REMORA_OK) {
        return code;
    }
    tell(envelope, endpoint, code, fail);
    if (cause == REMORA_CAUSE_NONE) {
        bool is_refused = code == REMORA_UPSTREAM_CREDENTIAL && own != REMORA_CAUSE_QUOTA;
        cause = is_refused ? REMORA_CAUSE_CREDENTIAL : own;
    }
    fail->cause = cause;
    fail->upstream_status = status;
    fail->spares_health =
        code == REMORA_MODEL_UNAVAILABLE_UPSTREAM && envelope != NULL && !names_model(envelope);
    fail->retry_after_ms = envelope == NULL ? -1 : envelope->retry_after_ms;
    return code;
}

/*
 * The members of a chunk, a choice, a delta and a usage that mean something here, found in one walk over each object. Most of the
 * cost of decoding a chunk was looking for members that are not there, one walk each.
 */
#ifndef REMORA_PROVIDER_OPENAI_MEMBERS_H
#define REMORA_PROVIDER_OPENAI_MEMBERS_H

#include "remora/json.h"

enum chunk_member {
    CHUNK_ID,
    CHUNK_MODEL,
    CHUNK_CREATED,
    CHUNK_CHOICES,
    CHUNK_USAGE,
    CHUNK_ERROR,
    CHUNK_OBJECT,
    CHUNK_SYSTEM_FINGERPRINT,
    CHUNK_SERVICE_TIER,
    CHUNK_CITATIONS,
    CHUNK_X_GROQ,
    CHUNK_BASE_RESP,
    CHUNK_SUCCESS,
    CHUNK_MEMBERS
};
enum choice_member {
    CHOICE_INDEX,
    CHOICE_DELTA,
    CHOICE_MESSAGE,
    CHOICE_LOGPROBS,
    CHOICE_ERROR,
    CHOICE_FINISH_REASON,
    CHOICE_NATIVE_FINISH_REASON,
    CHOICE_USAGE,
    CHOICE_STOP_REASON,
    CHOICE_MEMBERS
};
enum body_member {
    BODY_CONTENT,
    BODY_REASONING,
    BODY_REASONING_CONTENT,
    BODY_REASONING_DETAILS,
    BODY_REFUSAL,
    BODY_TOOL_CALLS,
    BODY_FUNCTION_CALL,
    BODY_AUDIO,
    BODY_IMAGES,
    BODY_ANNOTATIONS,
    BODY_MEMBERS
};

enum spent_member {
    SPENT_PROMPT_TOKENS,
    SPENT_COMPLETION_TOKENS,
    SPENT_TOTAL_TOKENS,
    SPENT_PROMPT_TOKENS_DETAILS,
    SPENT_COMPLETION_TOKENS_DETAILS,
    SPENT_PROMPT_CACHE_HIT_TOKENS,
    SPENT_CACHED_TOKENS,
    SPENT_REASONING_TOKENS,
    SPENT_CACHE_READ_INPUT_TOKENS,
    SPENT_CACHE_CREATION_INPUT_TOKENS,
    SPENT_CACHE_CREATION,
    SPENT_COST,
    SPENT_COST_DETAILS,
    SPENT_COST_IN_USD_TICKS,
    SPENT_IS_BYOK,
    SPENT_ESTIMATED_COST,
    SPENT_SERVER_TOOL_USE,
    SPENT_SERVER_TOOL_USE_DETAILS,
    SPENT_NUM_SEARCH_QUERIES,
    SPENT_NUM_SOURCES_USED,
    SPENT_MEMBERS
};
/* Of prompt_tokens_details and completion_tokens_details. */
enum detail_member {
    DETAIL_CACHED_TOKENS,
    DETAIL_CACHE_WRITE_TOKENS,
    DETAIL_CACHE_CREATION_INPUT_TOKENS,
    DETAIL_CACHE_CREATION,
    DETAIL_REASONING_TOKENS,
    DETAIL_AUDIO_TOKENS,
    DETAIL_IMAGE_TOKENS,
    DETAIL_VIDEO_TOKENS,
    DETAIL_ACCEPTED_PREDICTION_TOKENS,
    DETAIL_REJECTED_PREDICTION_TOKENS,
    DETAIL_MEMBERS
};

/* Whether a member of a chunk by this key is one of enum chunk_member. */
bool openai_is_chunk_member(struct remora_json key);
/* Text of any length that is there to hide the length of the rest: it changes with every chunk and says nothing. */
bool openai_is_padding(struct remora_json key);
/* Absent members, and all of what is no object, are absent values. Of a key that occurs twice the last counts. */
/* How many members are none of them is returned. */
uint32_t openai_chunk_members(struct remora_json object, struct remora_json values[CHUNK_MEMBERS]);
void openai_choice_members(struct remora_json object, struct remora_json values[CHOICE_MEMBERS]);
void openai_body_members(struct remora_json object, struct remora_json values[BODY_MEMBERS]);
void openai_spent_members(struct remora_json object, struct remora_json values[SPENT_MEMBERS]);
void openai_detail_members(struct remora_json object, struct remora_json values[DETAIL_MEMBERS]);

#endif

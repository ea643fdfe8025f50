/*
 * Media of a request (remora/media.h). A URL is judged by its text alone: scheme, a host that is not this machine or its
 * network's own, no credentials. Whether a provider can reach it is the provider's to say.
 */
#include "remora/media.h"

#include "remora/address.h"
#include "remora/limits.h"
#include "remora/text.h"

static bool is_listed(struct remora_slice text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_equal_nocase(text, remora_slice_of(words[i]))) {
            return true;
        }
    }
    return false;
}
#define IS_LISTED(text, words) is_listed((text), (words), REMORA_COUNT_OF(words))

/* ---- media types ---- */

static bool is_token(struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '+' || c == '-' || c == '_';
        if (!is_good) {
            return false;
        }
    }
    return text.length > 0;
}

/* type "/" subtype (RFC 6838 section 4.2), without parameters. */
static bool is_media_type(struct remora_slice text)
{
    size_t slash = remora_slice_find(text, '/', 0);
    return slash < text.length && text.length <= 127 && is_token(remora_slice(text.data, slash)) &&
           is_token(remora_slice(text.data + slash + 1, text.length - slash - 1));
}

static const char *const image_types[] = {"image/png", "image/jpeg", "image/jpg", "image/webp",
                                          "image/gif"};
static const char *const video_types[] = {"video/mp4", "video/mpeg", "video/mov", "video/quicktime",
                                          "video/webm"};

static const struct {
    const char *type;
    const char *format;
} audio_types[] = {
    {"audio/wav", "wav"}, {"audio/x-wav", "wav"}, {"audio/wave", "wav"},    {"audio/mpeg", "mp3"},
    {"audio/mp3", "mp3"}, {"audio/aiff", "aiff"}, {"audio/x-aiff", "aiff"}, {"audio/aac", "aac"},
    {"audio/ogg", "ogg"}, {"audio/flac", "flac"}, {"audio/x-flac", "flac"}, {"audio/mp4", "m4a"},
    {"audio/m4a", "m4a"}, {"audio/x-m4a", "m4a"}, {"audio/pcm", "pcm16"},
};

struct remora_slice remora_media_format(struct remora_slice mime_type)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(audio_types); i++) {
        if (remora_slice_equal_nocase(mime_type, remora_slice_of(audio_types[i].type))) {
            return remora_slice_of(audio_types[i].format);
        }
    }
    return remora_slice(NULL, 0);
}

static const char *check_type(enum remora_part_kind kind, struct remora_slice type)
{
    switch (kind) {
    case REMORA_PART_IMAGE:
        return IS_LISTED(type, image_types)
                   ? NULL
                   : "must be of type image/png, image/jpeg, image/webp or image/gif.";
    case REMORA_PART_VIDEO:
        return IS_LISTED(type, video_types)
                   ? NULL
                   : "must be of type video/mp4, video/mpeg, video/quicktime or video/webm.";
    case REMORA_PART_AUDIO:
        return remora_media_format(type).length > 0
                   ? NULL
                   : "must be of an audio type such as audio/wav or audio/mpeg.";
    case REMORA_PART_FILE:
        return is_media_type(type) ? NULL : "must have a media type such as application/pdf.";
    case REMORA_PART_TEXT:
    case REMORA_PART_REFUSAL:
    case REMORA_PART_RAW:
        break;
    }
    return "cannot hold media.";
}

const char *remora_media_check_bytes(enum remora_part_kind kind, const struct remora_media *media)
{
    if (media->value.length == 0) {
        return "must not be empty.";
    }
    if (kind == REMORA_PART_AUDIO && media->detail.length > 0) {
        return remora_media_check_format(media->detail);
    }
    return check_type(kind, media->mime_type);
}

const char *remora_media_check_detail(struct remora_slice detail)
{
    static const char *const words[] = {"auto", "low", "high", "original"};
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (remora_slice_is(detail, words[i])) {
            return NULL;
        }
    }
    return "must be one of auto, low, high, original.";
}

const char *remora_media_check_format(struct remora_slice format)
{
    static const char *const words[] = {"wav",  "mp3", "aiff",  "aac",  "ogg",
                                        "flac", "m4a", "pcm16", "pcm24"};
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (remora_slice_is(format, words[i])) {
            return NULL;
        }
    }
    return "must be one of wav, mp3, aiff, aac, ogg, flac, m4a, pcm16, pcm24.";
}

static bool has_control(struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

const char *remora_media_check_filename(struct remora_slice name)
{
    return name.length >= 1 && name.length <= REMORA_LIMIT_ID_BYTES && !has_control(name)
               ? NULL
               : "must be 1 to 256 bytes without control characters.";
}

/* ---- data URLs ---- */

const char *remora_media_from_base64(struct remora_slice text, struct remora_media *out)
{
    if (text.length == 0) {
        return "must not be empty.";
    }
    if (text.length > 5 &&
        remora_slice_equal_nocase(remora_slice(text.data, 5), REMORA_SLICE("data:"))) {
        return "must be base64 alone; send what stands behind \"base64,\".";
    }
    if (!remora_base64_is_valid(text)) {
        return "must be base64 of RFC 4648 section 4: padded, without line breaks, not base64url.";
    }
    out->source = REMORA_MEDIA_BASE64;
    out->value = text;
    return NULL;
}

/* data:TYPE[;parameter...];base64,TEXT */
static const char *from_data_url(enum remora_part_kind kind, struct remora_slice rest,
                                 struct remora_media *out)
{
    static const struct remora_slice mark = REMORA_SLICE_INIT(";base64");
    size_t comma = remora_slice_find(rest, ',', 0);
    if (comma == rest.length || comma < mark.length ||
        !remora_slice_equal_nocase(remora_slice(rest.data + comma - mark.length, mark.length),
                                   mark)) {
        return "must be a data URL with base64: data:TYPE;base64,TEXT.";
    }
    struct remora_slice head = remora_slice(rest.data, comma - mark.length);
    head.length = remora_slice_find(head, ';', 0);
    const char *why = check_type(kind, head);
    if (why == NULL) {
        why = remora_media_from_base64(remora_slice(rest.data + comma + 1, rest.length - comma - 1),
                                       out);
    }
    if (why == NULL) {
        out->mime_type = head;
    }
    return why;
}

/* ---- http URLs ---- */

/* a.b.c.d in decimal; false for anything else. */
static bool read_quad(struct remora_slice host, uint8_t out[4])
{
    size_t from = 0;
    for (size_t i = 0; i < 4; i++) {
        size_t dot = remora_slice_find(host, '.', from);
        uint64_t number = 0;
        struct remora_slice digits = remora_slice(host.data + from, dot - from);
        if (digits.length > 3 || !remora_parse_u64(digits, &number) || number > 255 ||
            (i < 3) != (dot < host.length)) {
            return false;
        }
        out[i] = (uint8_t)number;
        from = dot + 1;
    }
    return true;
}

/* Names by which clouds call the services on the host (Google Cloud, "View and query VM metadata"; AWS, "Instance metadata"). */
static bool is_name_of_host_service(struct remora_slice host)
{
    static const char *const names[] = {"metadata", "metadata.google.internal", "metadata.goog",
                                        "instance-data", "instance-data.ec2.internal"};
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_equal_nocase(host, remora_slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Addresses that mean this machine or its link: loopback, and those that no provider is called at. */
static bool is_inside(struct remora_slice host)
{
    static const struct remora_slice local = REMORA_SLICE_INIT("localhost");
    static const struct remora_slice below = REMORA_SLICE_INIT(".localhost");
    uint8_t quad[4];
    if (host.length > 0 && host.data[host.length - 1] == '.') {
        host.length--;
    }
    if (remora_slice_equal_nocase(host, local) || is_name_of_host_service(host) ||
        (host.length > below.length &&
         remora_slice_equal_nocase(
             remora_slice(host.data + host.length - below.length, below.length), below))) {
        return true;
    }
    if (!remora_host_ends_in_number(host)) {
        return false;
    }
    return !read_quad(host, quad) || quad[0] == 127 || remora_address_is_refused_v4(quad);
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* What stands behind "//", up to the path. */
static const char *check_authority(struct remora_slice authority)
{
    static const char bad[] = "must name a host, without a user or password.";
    size_t colon = remora_slice_find(authority, ':', 0);
    struct remora_slice host = remora_slice(authority.data, colon);
    uint64_t port = 0;
    if (host.length == 0 || host.length > 253) {
        return bad;
    }
    for (size_t i = 0; i < host.length; i++) {
        if (!is_host_byte(host.data[i])) {
            return host.data[0] == '[' ? "must name its host, not an IPv6 address." : bad;
        }
    }
    if (colon < authority.length &&
        (!remora_parse_u64(remora_slice(authority.data + colon + 1, authority.length - colon - 1),
                           &port) ||
         port == 0 || port > 65535)) {
        return bad;
    }
    return is_inside(host)
               ? "must not name this machine, a link-local address or a cloud's service."
               : NULL;
}

static const char *from_http_url(struct remora_slice url, size_t scheme, struct remora_media *out)
{
    if (url.length > REMORA_LIMIT_MEDIA_URL_BYTES) {
        return "is longer than a URL may be; send the media as a data URL.";
    }
    for (size_t i = 0; i < url.length; i++) {
        unsigned char c = (unsigned char)url.data[i];
        if (c <= 0x20 || c == 0x7f || c == '\\') {
            return "must be a URL without blanks, control characters or backslashes.";
        }
    }
    size_t end = scheme;
    while (end < url.length && url.data[end] != '/' && url.data[end] != '?' &&
           url.data[end] != '#') {
        end++;
    }
    const char *why = check_authority(remora_slice(url.data + scheme, end - scheme));
    if (why == NULL) {
        out->source = REMORA_MEDIA_URI;
        out->value = url;
    }
    return why;
}

const char *remora_media_from_url(enum remora_part_kind kind, struct remora_slice url,
                                  struct remora_media *out)
{
    static const struct {
        const char *scheme;
        size_t length;
    } schemes[] = {{"https://", 8}, {"http://", 7}};
    if (url.length > 5 &&
        remora_slice_equal_nocase(remora_slice(url.data, 5), REMORA_SLICE("data:"))) {
        return from_data_url(kind, remora_slice(url.data + 5, url.length - 5), out);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(schemes); i++) {
        size_t length = schemes[i].length;
        if (url.length >= length && remora_slice_equal_nocase(remora_slice(url.data, length),
                                                              remora_slice_of(schemes[i].scheme))) {
            return kind == REMORA_PART_AUDIO
                       ? "must be a data URL; audio is not taken by reference."
                       : from_http_url(url, length, out);
        }
    }
    return "must be an http, https or data URL.";
}

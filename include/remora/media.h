/*
 * What both fronts ask of media in a request before it becomes a part, so that they take and refuse the same things. Pure, any
 * thread.
 *
 * Sources: reference/openrouter.md section 3 (kinds, formats), RFC 2397 (data URLs), reference/reliability.md N69 and N70
 * (URLs that no provider is to be sent to). Nothing is ever fetched here.
 */
#ifndef REMORA_MEDIA_H
#define REMORA_MEDIA_H

#include "remora/request.h"

/*
 * An http, https or data URL: fills source, value and mime_type of *out; a data URL becomes the base64 text in it, checked.
 * NULL, or why not: static text that continues the name of the field ("must be ...").
 */
const char *remora_media_from_url(enum remora_part_kind kind, struct remora_slice url,
                                  struct remora_media *out);
/* Base64 of an input_audio part. As above. */
const char *remora_media_from_base64(struct remora_slice text, struct remora_media *out);
/* Bytes with their media type: whether the kind takes it. Audio may name its format in `detail` instead. As above. */
const char *remora_media_check_bytes(enum remora_part_kind kind, const struct remora_media *media);
/* detail of an image, format of audio, and a file's name. As above. */
const char *remora_media_check_detail(struct remora_slice detail);
const char *remora_media_check_format(struct remora_slice format);
const char *remora_media_check_filename(struct remora_slice name);
/* "wav" of "audio/wav"; empty when it is none of the formats. */
struct remora_slice remora_media_format(struct remora_slice mime_type);

#endif

/*
 * REMORA_USAGE_CLASS(name, direction, price, label, metric's type, metric's modality). Direction: INPUT or OUTPUT. Classes
 * are disjoint; so are the pairs of type and modality.
 */
REMORA_USAGE_CLASS(INPUT, INPUT, PROMPT, "input", "input", "text")
REMORA_USAGE_CLASS(CACHE_READ, INPUT, CACHED_READ, "cache_read", "cache_read", "unknown")
REMORA_USAGE_CLASS(CACHE_WRITE_5M, INPUT, CACHED_WRITE, "cache_write_5m", "cache_write_5m", "unknown")
REMORA_USAGE_CLASS(CACHE_WRITE_1H, INPUT, CACHED_WRITE_1H, "cache_write_1h", "cache_write_1h", "unknown")
REMORA_USAGE_CLASS(AUDIO_INPUT, INPUT, INPUT_AUDIO, "audio_input", "input", "audio")
REMORA_USAGE_CLASS(IMAGE_INPUT, INPUT, PROMPT, "image_input", "input", "image")
REMORA_USAGE_CLASS(VIDEO_INPUT, INPUT, PROMPT, "video_input", "input", "video")
REMORA_USAGE_CLASS(OUTPUT, OUTPUT, COMPLETION, "output", "output", "text")
REMORA_USAGE_CLASS(REASONING, OUTPUT, REASONING, "reasoning", "reasoning", "text")
REMORA_USAGE_CLASS(AUDIO_OUTPUT, OUTPUT, OUTPUT_AUDIO, "audio_output", "output", "audio")
REMORA_USAGE_CLASS(IMAGE_OUTPUT, OUTPUT, COMPLETION, "image_output", "output", "image")

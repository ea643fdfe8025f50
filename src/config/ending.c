/*
 * How a file ends, and whether the next one of its name has lost that end.
 *
 * YAML in block style has no end of its own: what a full disk, a writer that died or a reader that came too early left of a file
 * is a valid document without the providers and policies behind the cut, and every default is wider than those. What a text does
 * have is a last line that is ended (POSIX.1-2017, 3.206 "Line"; HAProxy refuses its configuration without, too), and a
 * document may be ended by a line "..." (YAML 1.1, 3.2.2 "Document End Marker"). A file that runs with the one or the other is not
 * replaced by one without. Nobody is asked to write either: a ConfigMap may well hold a text without a line break at its end.
 *
 * A cut just behind a line break is found by the marker alone. A root in braces (JSON) closes itself: cut off, it is no YAML.
 */
#include "loader.h"

static enum remora_file_end end_of(struct remora_slice content, const struct config_node *root)
{
    if (root != NULL && root->has_end_marker) {
        return REMORA_FILE_ENDS_WITH_MARKER;
    }
    return content.length > 0 && content.data[content.length - 1] == '\n'
               ? REMORA_FILE_ENDS_WITH_LINE
               : REMORA_FILE_ENDS_ANYWHERE;
}

void config_note_ending(struct config_loader *loader, struct remora_slice path,
                        struct remora_slice content, const struct config_node *root)
{
    struct remora_config *config = loader->config;
    config->endings[config->ending_count++] = (struct remora_file_ending){
        .path = config_keep(loader, path),
        .end = end_of(content, root),
    };
}

static const struct remora_file_ending *ending_of(const struct remora_config *config,
                                                  struct remora_slice path)
{
    for (size_t i = 0; i < config->ending_count; i++) {
        if (remora_slice_equal(config->endings[i].path, path)) {
            return &config->endings[i];
        }
    }
    return NULL;
}

enum remora_code config_check_ending(const struct config_loader *loader, struct remora_slice path,
                                     struct remora_slice content, const struct config_node *root,
                                     struct remora_fail *fail)
{
    const struct remora_config *running = loader->input->running;
    const struct remora_file_ending *is = running == NULL ? NULL : ending_of(running, path);
    bool is_closed = root != NULL && root->is_in_braces;
    if (is == NULL || is_closed || end_of(content, root) >= is->end) {
        return REMORA_OK;
    }
    return remora_fail_set(
        fail, REMORA_INVALID_REQUEST, NULL,
        "%s may have been cut off: the one in force ends with %s, and this one does not",
        is->path.data, is->end == REMORA_FILE_ENDS_WITH_MARKER ? "a line \"...\"" : "a line break");
}

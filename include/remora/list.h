/*
 * An intrusive doubly linked ring. The owner of the head owns the order, not the nodes. Not thread safe.
 * A node that is on no list points at itself; removing it twice is harmless.
 */
#ifndef REMORA_LIST_H
#define REMORA_LIST_H

#include "remora/base.h"

struct remora_list {
    struct remora_list *next;
    struct remora_list *previous;
};

static inline void remora_list_init(struct remora_list *node)
{
    node->next = node;
    node->previous = node;
}

static inline bool remora_list_is_empty(const struct remora_list *head)
{
    return head->next == head;
}

static inline void remora_list_append(struct remora_list *head, struct remora_list *node)
{
    node->next = head;
    node->previous = head->previous;
    head->previous->next = node;
    head->previous = node;
}

static inline void remora_list_remove(struct remora_list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    remora_list_init(node);
}

/* The first node, removed, or NULL. */
static inline struct remora_list *remora_list_take(struct remora_list *head)
{
    struct remora_list *node = head->next;
    if (node == head) {
        return NULL;
    }
    remora_list_remove(node);
    return node;
}

#endif

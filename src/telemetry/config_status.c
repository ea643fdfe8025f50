/* The newest load of the configuration, as GetConfigStatus and the admin listener tell it. One lock, copies only. */
#include <pthread.h>
#include <stdio.h>

#include "remora/memory.h"
#include "remora/worker.h"

struct remora_config_status_store {
    pthread_mutex_t lock;
    struct remora_config_status now; /* guarded by lock */
};

struct remora_config_status_store *remora_config_status_store_new(void)
{
    struct remora_config_status_store *store = remora_alloc(sizeof *store);
    if (store != NULL) {
        pthread_mutex_init(&store->lock, NULL);
    }
    return store;
}

void remora_config_status_store_free(struct remora_config_status_store *store)
{
    if (store != NULL) {
        pthread_mutex_destroy(&store->lock);
        remora_free(store);
    }
}

void remora_config_status_loaded(struct remora_config_status_store *store,
                                 const struct remora_config *config)
{
    pthread_mutex_lock(&store->lock);
    snprintf(store->now.revision, sizeof store->now.revision, "%.*s",
             REMORA_SLICE_ARG(config->revision));
    store->now.load_unix_ms = config->load_unix_ms;
    store->now.last_error[0] = '\0';
    pthread_mutex_unlock(&store->lock);
}

void remora_config_status_failed(struct remora_config_status_store *store,
                                 const struct remora_fail *fail)
{
    pthread_mutex_lock(&store->lock);
    snprintf(store->now.last_error, sizeof store->now.last_error, "%s: %s", fail->param,
             fail->message);
    pthread_mutex_unlock(&store->lock);
}

void remora_config_status_get(struct remora_config_status_store *store,
                              struct remora_config_status *out)
{
    pthread_mutex_lock(&store->lock);
    *out = store->now;
    pthread_mutex_unlock(&store->lock);
}

const char *remora_process_unready(const struct remora_process *process,
                                   const struct remora_config *config)
{
    if (atomic_load(&process->is_draining)) {
        return "draining";
    }
    if (config != NULL && config->not_ready_why != NULL) {
        return config->not_ready_why;
    }
    return atomic_load(&process->is_ready) ? NULL : "starting";
}

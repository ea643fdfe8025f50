/* The control of tools/tsan.sh: a race, which must be reported under the same options and suppressions. */
#include <pthread.h>

static int shared;

static void *write_it(void *unused)
{
    shared++;
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, write_it, NULL) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}

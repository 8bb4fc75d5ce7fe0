#include "base/phase.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double total[PHASES];                /* under the lock */

static _Thread_local enum phase current;
static _Thread_local double since;          /* when this thread entered `current` */

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

enum phase phase_enter(enum phase phase)
{
    const enum phase before = current;
    const double time = now();

    if (before != PHASE_NONE) {
        pthread_mutex_lock(&lock);
        total[before] += time - since;
        pthread_mutex_unlock(&lock);
    }
    current = phase;
    since = time;
    return before;
}

void phase_seconds(double seconds[PHASES])
{
    phase_enter(current);
    pthread_mutex_lock(&lock);
    memcpy(seconds, total, sizeof total);
    pthread_mutex_unlock(&lock);
}

const char *phase_shares(char text[PHASE_SHARES], const double seconds[PHASES], double whole)
{
    static const char *const NAMES[PHASES] = { "", "compute", "read", "decompress", "exchange",
                                               "compress", "write" };
    size_t end = 0;

    text[0] = '\0';
    for (int p = PHASE_COMPUTE; p < PHASES && end < PHASE_SHARES; p++)
        if (seconds[p] > 0)
            end += (size_t)snprintf(text + end, PHASE_SHARES - end, "%s%s %.0f %%",
                                    end > 0 ? ", " : "", NAMES[p], 100 * seconds[p] / whole);
    return text;
}

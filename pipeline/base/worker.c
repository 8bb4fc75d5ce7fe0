#include "base/worker.h"
#include "base/phase.h"

#include <stdlib.h>
#include <string.h>

/* The thread: wait for a job, do it without the lock, tell. */
static void *work(void *of)
{
    struct worker *worker = of;

    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (worker->job == NULL && !worker->ending)
            pthread_cond_wait(&worker->changed, &worker->lock);
        if (worker->job == NULL)
            break;
        pthread_mutex_unlock(&worker->lock);
        phase_enter(PHASE_COMPUTE);
        const enum status st = worker->job(worker->context);
        phase_enter(PHASE_NONE);
        pthread_mutex_lock(&worker->lock);
        if (st != OK) {
            worker->status = st;
            worker->reason = strdup(status_reason());
            status_clear();
        }
        worker->job = NULL;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

void worker_start(struct worker *worker)
{
    *worker = (struct worker){ .running = true };
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    if (pthread_create(&worker->thread, NULL, work, worker) != 0)
        die("the system gives no thread for reading and writing");
}

/* With the lock. */
static void let_end(struct worker *worker)
{
    while (worker->job != NULL)
        pthread_cond_wait(&worker->changed, &worker->lock);
}

void worker_begin(struct worker *worker, enum status (*job)(void *context), void *context)
{
    pthread_mutex_lock(&worker->lock);
    let_end(worker);
    if (worker->status == OK) {
        worker->job = job;
        worker->context = context;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
}

enum status worker_wait(struct worker *worker)
{
    enum status st;

    pthread_mutex_lock(&worker->lock);
    let_end(worker);
    st = worker->status;
    worker->status = OK;
    pthread_mutex_unlock(&worker->lock);
    if (st != OK)
        refuse(st, "%s", worker->reason);
    free(worker->reason);
    worker->reason = NULL;
    return st;
}

void worker_stop(struct worker *worker)
{
    if (!worker->running)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker->reason);
    *worker = (struct worker){0};
}

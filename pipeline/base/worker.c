#include "base/worker.h"
#include "base/die.h"
#include "base/phase.h"
#include "base/threads.h"

#include <stdlib.h>
#include <string.h>

/* Do a job, unless an earlier one has failed.  Called with the lock; releases it during the job. */
static void do_job(struct worker *worker, struct worker_job job)
{
    enum status st;

    if (worker->status != OK)
        return;
    pthread_mutex_unlock(&worker->lock);
    phase_enter(PHASE_COMPUTE);
    st = job.job(job.context);
    phase_enter(PHASE_NONE);
    pthread_mutex_lock(&worker->lock);
    if (st != OK) {
        worker->status = st;
        worker->reason = strdup(refuse_reason());
        refuse_clear();
    }
}

/* The thread: wait for a job, do it, report it done. */
static void *work(void *of)
{
    struct worker *worker = of;

    threads_settle();
    pthread_mutex_lock(&worker->lock);
    while (worker->done < worker->given || !worker->ending) {
        if (worker->done == worker->given) {
            pthread_cond_wait(&worker->changed, &worker->lock);
            continue;
        }
        do_job(worker, worker->queue[worker->done % WORKER_QUEUE]);
        worker->done++;
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
        die_as(E_IO, "the system cannot start a thread for reading and writing");
}

/* Wait until at most `left` jobs are left to do.  Called with the lock. */
static void wait_locked(struct worker *worker, int64_t left)
{
    while (worker->given - worker->done > left)
        pthread_cond_wait(&worker->changed, &worker->lock);
}

void worker_await(struct worker *worker, int64_t left)
{
    pthread_mutex_lock(&worker->lock);
    wait_locked(worker, left);
    pthread_mutex_unlock(&worker->lock);
}

void worker_queue(struct worker *worker, enum status (*job)(void *context), void *context)
{
    pthread_mutex_lock(&worker->lock);
    wait_locked(worker, WORKER_QUEUE - 1);
    worker->queue[worker->given++ % WORKER_QUEUE] = (struct worker_job){ job, context };
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

void worker_begin(struct worker *worker, enum status (*job)(void *context), void *context)
{
    worker_await(worker, 0);
    worker_queue(worker, job, context);
}

enum status worker_status(struct worker *worker)
{
    enum status st;

    pthread_mutex_lock(&worker->lock);
    st = worker->status;
    if (st != OK)
        refuse(st, "%s", worker->reason);
    pthread_mutex_unlock(&worker->lock);
    return st;
}

enum status worker_wait(struct worker *worker)
{
    enum status st;

    pthread_mutex_lock(&worker->lock);
    wait_locked(worker, 0);
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

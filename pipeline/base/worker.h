/* worker.h -- a thread that does jobs for its owner, in order, in the background.
 *
 * Workers read and write files while ranks compute and communicate.  A job that calls MPI needs a
 * communicator that no other thread uses at that time.  HDF5 lets only one thread in at a time.
 */
#ifndef WORKER_H
#define WORKER_H

#include "base/refuse.h"

#include <pthread.h>
#include <stdint.h>

enum { WORKER_QUEUE = 8 };

struct worker_job {
    enum status (*job)(void *context);
    void         *context;
};

struct worker {
    pthread_t       thread;
    pthread_mutex_t lock;               /* protects everything below */
    pthread_cond_t  changed;
    struct worker_job queue[WORKER_QUEUE];  /* job number n is at n % WORKER_QUEUE */
    int64_t         given, done;        /* jobs; job number `done` is being done, or next */
    enum status     status;             /* first failure since the last worker_wait() */
    char           *reason;             /* of that failure, or NULL */
    bool            running, ending;
};

/* Dies if the system cannot start a thread.  Local. */
void worker_start(struct worker *worker);

/* Start job(context); waits until the job before is done.  After a failure the worker skips all
 * jobs until worker_wait() has reported it.  Local. */
void worker_begin(struct worker *worker, enum status (*job)(void *context), void *context);

/* Queue job(context) after the jobs given before; waits only if the queue is full.  Local. */
void worker_queue(struct worker *worker, enum status (*job)(void *context), void *context);

/* Wait until at most `left` jobs are left to do.  Local. */
void worker_await(struct worker *worker, int64_t left);

/* Without waiting: the first failure so far since the last worker_wait(), with its reason, or OK.
 * Local. */
enum status worker_status(struct worker *worker);

/* Wait until all jobs are done.  Returns the first failure since the last call, with the reason
 * that the job gave to refuse(), or OK.  Local. */
enum status worker_wait(struct worker *worker);

/* Do the queued jobs, then end the thread; a failure is not reported.  Accepts a worker that was
 * never started.  Local. */
void worker_stop(struct worker *worker);

#endif

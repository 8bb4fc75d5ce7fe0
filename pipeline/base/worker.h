/* worker.h -- a thread that does jobs for its owner, one after another, who goes on meanwhile.
 *
 * So files are read and written while ranks compute and talk.  A job that calls MPI needs a
 * communicator that nobody else uses at that time; HDF5 lets only one thread in at a time.
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
    pthread_mutex_t lock;               /* of all below */
    pthread_cond_t  changed;
    struct worker_job queue[WORKER_QUEUE];  /* job number n is at n % WORKER_QUEUE */
    int64_t         given, done;        /* jobs; number `done` is in hand */
    enum status     status;             /* of the jobs since the last worker_wait() */
    char           *reason;             /* the words of the first that failed, or NULL */
    bool            running, ending;
};

/* Dies if the system gives no thread.  Local. */
void worker_start(struct worker *worker);

/* Begin job(context), once the job before is done.  After a failure nothing is begun any
 * more until worker_wait() has told of it.  Local. */
void worker_begin(struct worker *worker, enum status (*job)(void *context), void *context);

/* The same without waiting, unless the queue is full: job(context) is begun when those before
 * it are done. */
void worker_queue(struct worker *worker, enum status (*job)(void *context), void *context);

/* Wait until at most `left` jobs are not done.  Local. */
void worker_await(struct worker *worker, int64_t left);

/* The first failure since the last worker_wait() so far, with its reason, or OK.  Local. */
enum status worker_status(struct worker *worker);

/* Wait until nothing is being done.  Returns the first failure since the last call, with the
 * reason that the job gave to refuse(), or OK.  Local. */
enum status worker_wait(struct worker *worker);

/* Let the jobs end that were given, then end the thread; what it failed with is lost.  Accepts a
 * worker that was never started.  Local. */
void worker_stop(struct worker *worker);

#endif

/* worker.h -- a thread that does one job at a time for its owner, who goes on meanwhile.
 *
 * So files are read and written while ranks compute and talk.  A job that calls MPI needs a
 * communicator that nobody else uses at that time; HDF5 lets only one thread in at a time.
 */
#ifndef WORKER_H
#define WORKER_H

#include "base/status.h"

#include <pthread.h>

struct worker {
    pthread_t       thread;
    pthread_mutex_t lock;               /* of all below */
    pthread_cond_t  changed;
    enum status   (*job)(void *context);    /* being done, or NULL */
    void           *context;
    enum status     status;             /* of the jobs since the last worker_wait() */
    char           *reason;             /* the words of the first that failed, or NULL */
    bool            running, ending;
};

/* Dies if the system gives no thread.  Local. */
void worker_start(struct worker *worker);

/* Begin job(context), once the job before is done.  After a failure nothing is begun any
 * more until worker_wait() has told of it.  Local. */
void worker_begin(struct worker *worker, enum status (*job)(void *context), void *context);

/* Wait until nothing is being done.  Returns the first failure since the last call, with the
 * reason that the job gave to refuse(), or OK.  Local. */
enum status worker_wait(struct worker *worker);

/* Let the job in hand end, then end the thread; what it failed with is lost.  Accepts a
 * worker that was never started.  Local. */
void worker_stop(struct worker *worker);

#endif

/* shuffle_state.h -- the state of one shuffle, which its passes (partition.h, window.h) share. */
#ifndef SHUFFLE_STATE_H
#define SHUFFLE_STATE_H

#include "base/run.h"
#include "base/worker.h"
#include "shard/activation_writer.h"
#include "shuffle/exchange.h"
#include "shuffle/reorder_job.h"
#include "shuffle/row_source.h"
#include "shuffle/shuffle_plan.h"

/* Rows that were read for a window. */
struct batch {
    char        *records;       /* [memory.batch] */
    int32_t     *owners;        /* [memory.batch] ranks that hold their places */
    int64_t      count;
};

/* This rank's rows of a window. */
struct window_rows {
    struct range       rows;    /* of the output: all of the window */
    char              *values;
    struct row_origin *origins;
};

/* A run in memory (partition.h). */
struct sort_buffer {
    char    *records;           /* [memory.run_rows] */
    int32_t *groups, *sorted;   /* [memory.run_rows] */
    int64_t  count, number;
};

/* Views into one allocation, which belongs to the job.  `sort` and `spill_scratch` overlap
 * `batches`, `windows`, `send` and `receive`: these are never in use at the same time. */
struct buffers {
    int64_t           *places;  /* [memory.rows.input_chunk] */
    struct batch       batches[2];
    char              *send, *receive;
    struct window_rows windows[2];
    struct sort_buffer sort[2];
    uint8_t           *spill_scratch;
};

struct shuffle_state {
    const struct reorder    *job;
    struct run              *run;
    char                     part[PATH_LENGTH];     /* FOLDER.part */
    struct shuffle_memory    memory;
    struct shuffle_plan      plan;
    struct spill_form        form;
    struct buffers           buffers;
    struct exchange          exchange;
    struct worker            reader;    /* reads a batch while another is exchanged */
    struct worker            writer;    /* writes a window or a run while another is filled */
    struct worker            publisher; /* syncs and renames what the writer has written */
    char                     published[WORKER_QUEUE + 1][PATH_LENGTH];  /* the publisher's jobs */
    int64_t                  publications;
    MPI_Comm                 holders;   /* ranks that write a window together; the writer's */
    int                      holder;    /* this rank's number in `holders` */
    struct activation_writer shard;     /* the shard that is open for writing; the writer's */
    struct window_rows      *written;   /* the window that the writer is to write */
    int                      filled;    /* number of the window buffer that is filled next */
    int64_t                  shards;
    char                    *complete;  /* [shards] */
    double                   since;     /* when it started, for the progress */
    int64_t                  skipped, done;     /* rows of all passes, for the progress */
};

/* Allocate the buffers.  Collective.  E_SPACE, before anything is allocated, if the ranks of
 * a node need more memory than it has. */
enum status shuffle_state_allocate(struct shuffle_state *s);

/* Report progress: "res.01, window 2 of 9".  Local. */
void shuffle_state_tell(struct shuffle_state *s, const char *step);

/* Let the publisher publish PATH.part as PATH (file_publish()), which takes as long as the disk
 * does, while the writer goes on.  For the writer.  Local. */
void shuffle_state_publish(struct shuffle_state *s, const char *path);

/* Wait until the writer has finished; and until the publisher has, too.  Both return the first
 * failure that is known so far.  Local. */
enum status shuffle_state_await(struct shuffle_state *s);
enum status shuffle_state_settle(struct shuffle_state *s);

#endif

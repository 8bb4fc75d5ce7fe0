/* shuffling.h -- one shuffle under way: what its parts (window.h, partition.h) share. */
#ifndef SHUFFLING_H
#define SHUFFLING_H

#include "base/worker.h"
#include "shard/activation_writer.h"
#include "shuffle/exchange.h"
#include "shuffle/reorder.h"
#include "shuffle/shuffle_plan.h"
#include "shuffle/source.h"

/* Rows on their way into a window. */
struct batch {
    char        *records;       /* [room.batch] */
    int32_t     *owners;        /* [room.batch] ranks that hold their places */
    int64_t      count;
};

/* A window in the memory of the ranks. */
struct window_rows {
    struct range       rows;    /* of the output */
    char              *values;
    struct row_origin *origins;
};

/* Rows to be dealt. */
struct run_rows {
    char    *records;           /* [room.unit] */
    int32_t *groups, *sorted;   /* [room.unit] */
    int64_t  count, number;
};

/* All of it is one piece of memory, the job's; units lie where batches and windows do, which are
 * not needed at the same time. */
struct buffers {
    int64_t           *places;  /* [rows.in] */
    struct batch       batches[2];
    char              *send, *receive;
    struct window_rows windows[2];
    struct run_rows   units[2];
    uint8_t           *dealing; /* room for spill_write() */
};

struct shuffling {
    const struct reorder    *job;
    struct run              *run;
    char                     part[PATH_LENGTH];     /* FOLDER.part */
    struct shuffle_memory              room;
    struct shuffle_plan            passes;
    struct spill_form        form;
    struct buffers           buffers;
    struct exchange          exchange;
    struct worker            reader;    /* reads a batch while another is exchanged */
    struct worker            writer;    /* writes a window or unit while another is filled */
    struct worker            publisher; /* has the disk take up what was written */
    char                     published[WORKER_QUEUE + 1][PATH_LENGTH];  /* the publisher's jobs */
    int64_t                  publications;
    MPI_Comm                 writing;   /* of the writers of a window, theirs alone */
    int                      place;     /* of this rank among them */
    struct activation_writer shard;     /* that the last window ended in; the writer's */
    struct window_rows      *written;   /* the window the writer is to write */
    int                      next;      /* which of the two windows is to be filled */
    int64_t                  shards;
    char                    *complete;  /* [shards] */
    double                   since;     /* for the progress */
    int64_t                  skipped, done;
};

/* Allocate the buffers.  Collective.  E_SPACE, before anything is allocated, if the ranks of
 * some node need more than it has. */
enum status shuffling_allocate(struct shuffling *s);

/* How far the work is: "res.01, window 2 of 9".  Local. */
void shuffling_tell(struct shuffling *s, const char *step);

/* E_STOPPED, with the words for it.  Local. */
enum status shuffling_stopped(void);

/* Have PATH.part published as PATH (file_publish()), which takes as long as the disk does, while
 * more is written.  For the writer.  Local. */
void shuffling_publish(struct shuffling *s, const char *path);

/* Wait until the writer has written what it was given; until that is published, too.  Local,
 * also in what they return: what became of all that, as far as it is known. */
enum status shuffling_await(struct shuffling *s);
enum status shuffling_settle(struct shuffling *s);

#endif

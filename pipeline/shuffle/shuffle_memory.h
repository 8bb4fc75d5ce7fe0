/* shuffle_memory.h -- the memory of a rank, divided among what a shuffle holds at once.
 *
 * Rows are read ahead in one batch while another is sent to where it belongs, and one window is
 * filled while another is written; likewise two units when rows are dealt (shuffle_plan.h).
 */
#ifndef SHUFFLE_MEMORY_H
#define SHUFFLE_MEMORY_H

#include "base/refuse.h"

#include <stdint.h>

/* What the rows are like. */
struct shuffle_memory_rows {
    int64_t bytes;              /* of a row's values */
    int64_t value;              /* bytes of a value */
    int64_t in;                 /* rows of a chunk of the input, and of a dealt file */
    int64_t out;                /* rows of a chunk of the output */
};

/* What this run's ranks can hold, each.  Row counts unless it says bytes. */
struct shuffle_memory {
    int              ranks;
    int              team;      /* ranks that hold a window: all, or each its own */
    struct shuffle_memory_rows rows;
    int64_t          memory;    /* bytes of a rank */
    int64_t          record_bytes;  /* of a row on its way (records.h) */
    int64_t          batch;     /* read at a time */
    int              batches;   /* at once */
    int64_t          pair;      /* sent from one rank to another at a time; 0: they send nothing */
    int64_t          stretch;   /* output chunks written at a time */
    int64_t          held;      /* output chunks, of all windows that are in memory at once */
    int64_t          unit;      /* of a file to deal to, two at once */
    int64_t          fanout;    /* most groups to deal to at once */
};

/* Divide `memory` bytes a rank.  E_USAGE with a figure if that is too little. */
enum status shuffle_memory_make(struct shuffle_memory *room, int64_t memory, int ranks, const struct shuffle_memory_rows *rows);

/* The same memory, if each rank reads itself what its windows need: nothing is sent, and what is
 * written waits for no other rank, so that windows have most of the memory. */
struct shuffle_memory shuffle_memory_apart(const struct shuffle_memory *room);

/* Bytes of a chunk of the output. */
int64_t shuffle_memory_chunk_bytes(const struct shuffle_memory *room);

/* Bytes that a rank holds while windows are filled and written, and while rows are dealt; and
 * what of them is no buffer of ours, but taken by readers, zstd, HDF5 and MPI. */
int64_t shuffle_memory_window_bytes(const struct shuffle_memory *room);
int64_t shuffle_memory_run_bytes(const struct shuffle_memory *room);
int64_t shuffle_memory_window_other_bytes(const struct shuffle_memory *room);
int64_t shuffle_memory_run_other_bytes(const struct shuffle_memory *room);

#endif

/* shuffle_memory.h -- how a shuffle divides the memory of a rank among its buffers.
 *
 * In the last pass one batch of rows is read while another is sent to the ranks that hold its
 * places, and one window is filled while another is written.  In a partition pass one run is
 * filled while another is written (shuffle_plan.h).
 */
#ifndef SHUFFLE_MEMORY_H
#define SHUFFLE_MEMORY_H

#include "base/refuse.h"

#include <stdint.h>

/* The sizes of rows and chunks. */
struct shuffle_memory_rows {
    int64_t bytes;              /* of a row's values */
    int64_t value;              /* bytes of a value */
    int64_t input_chunk;        /* rows of a chunk of the input, and of a spill file */
    int64_t output_chunk;       /* rows of a chunk of the output */
};

/* The buffers of each rank.  Row counts unless it says otherwise. */
struct shuffle_memory {
    int                        ranks;
    int                        holders;         /* ranks that hold a window: all, or one */
    struct shuffle_memory_rows rows;
    int64_t                    budget;          /* bytes that a rank may use */
    int64_t                    record_bytes;    /* of a row in transit (records.h) */
    int64_t                    batch;           /* rows read at a time */
    int                        batches;         /* in memory at the same time */
    int64_t                    per_pair;        /* rows from one rank to another in a round of
                                                   an exchange (exchange.h); 0: none */
    int64_t                    write_chunks;    /* output chunks that a rank writes in a call */
    int64_t                    window_chunks;   /* output chunks in memory, of all windows
                                                   together */
    int64_t                    run_rows;        /* rows of a run; two are in memory */
    int64_t                    fanout;          /* most groups of a partition pass */
};

/* Divide `budget` bytes a rank.  E_USAGE, with the bytes needed, if that is too little. */
enum status shuffle_memory_make(struct shuffle_memory *memory, int64_t budget, int ranks,
                                const struct shuffle_memory_rows *rows);

/* The same budget for ranks with windows of their own (SHUFFLE_OWN): they send nothing and read
 * one batch at a time, and a write waits for no other rank, so one chunk a call is enough.
 * Windows get the memory that this saves. */
struct shuffle_memory shuffle_memory_own(const struct shuffle_memory *memory);

/* Bytes of a chunk of the output. */
int64_t shuffle_memory_chunk_bytes(const struct shuffle_memory *memory);

/* Bytes of a rank's buffers in the last pass, and in a partition pass. */
int64_t shuffle_memory_window_bytes(const struct shuffle_memory *memory);
int64_t shuffle_memory_run_bytes(const struct shuffle_memory *memory);

/* Bytes that readers, zstd, HDF5 and MPI take in addition to these. */
int64_t shuffle_memory_window_other_bytes(const struct shuffle_memory *memory);
int64_t shuffle_memory_run_other_bytes(const struct shuffle_memory *memory);

#endif

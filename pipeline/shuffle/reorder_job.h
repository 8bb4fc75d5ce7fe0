/* reorder_job.h -- what a shuffle of one stream is to do (reorder.h), known to all of its parts. */
#ifndef REORDER_JOB_H
#define REORDER_JOB_H

#include "shard/activations.h"
#include "shuffle/order.h"

/* The memory for a shuffle's rows.  It is kept from one stream to the next, because the kernel
 * clears pages that are new to a process, which takes as long as copying rows to them.  Empty at
 * first; the caller frees it. */
struct reorder_rows {
    char   *memory;
    int64_t bytes;
};

struct reorder {
    struct activations *input;
    struct order        order;      /* of as many rows as the input has */
    int64_t             shard;      /* rows of an output shard */
    int64_t             memory;     /* bytes that a rank may use for rows */
    struct reorder_rows *rows;
    const char         *folder;     /* for the output: 00000.h5, 00001.h5, ... */
    struct identity     identity;   /* of that folder */
};

#endif

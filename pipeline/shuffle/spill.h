/* spill.h -- dealt files: what shuffle puts between two passes.
 *
 * FORMATS.md, "Dealt file".  A file holds a unit, as many rows as fit into the memory of
 * one rank, sorted by the group of windows they go to, each group in compressed chunks.  One
 * rank writes it, many read it.
 */
#ifndef SPILL_H
#define SPILL_H

#include "base/file.h"
#include "base/split.h"
#include "shuffle/records.h"

#include <mpi.h>

/* What all files of a shuffle have in common. */
struct spill_form {
    int64_t record;     /* bytes of a record */
    int64_t value;      /* bytes of a value, 2 or 4 */
    int64_t chunk;      /* most records of a chunk */
};

/* Some records, to be written by the group they go to. */
struct spill_run {
    void          *records;         /* [count] */
    int64_t        count;
    const int32_t *groups;          /* [count] group of each record, below groups_count */
    int32_t        groups_count;
    int32_t       *sorted;          /* [count] room to work in */
    uint8_t       *room;            /* [spill_scratch_bytes()] room to work in */
};

/* Bytes that it takes to make or to open a chunk. */
int64_t spill_scratch_bytes(const struct spill_form *form);

/* Path of file `unit` in a folder. */
void spill_path(char path[PATH_LENGTH], const char *folder, int64_t unit);

/* Write a file, to be published (file_publish()) by the caller.  Local.  E_IO, E_SPACE. */
enum status spill_write(const char *part, const struct spill_form *form,
                        const struct spill_run *unit);

/* The records of one group in all files of a folder, as one long list. */
struct spill {
    struct spill_form form;
    char              folder[PATH_LENGTH];
    int64_t           units;        /* files */
    struct spill_piece {
        int64_t at, bytes, rows;
    }                *pieces;       /* [units] where the group lies in each file */
    int64_t          *before;       /* [units + 1] records of the group in the files before each */
    int               file;         /* of the piece being read, or -1 */
    int64_t           piece, at;    /* the piece; where in the file the next chunk begins */
    struct range      held;         /* records of the list that lie in `planes` */
    uint8_t          *planes, *frames;
};

/* Find the records of a group.  Collective.  E_IO, E_FORMAT. */
enum status spill_open(struct spill *dealt, MPI_Comm comm, const char *folder, int64_t units,
                       const struct spill_form *form, int32_t group, int32_t groups);
void        spill_close(struct spill *dealt);

/* How many records are in the list? */
int64_t spill_rows(const struct spill *dealt);

/* Read records of the list from left->first on, up to `capacity` of them, from one chunk;
 * move left->first behind them.  Cheapest when calls follow each other.
 *   records  [capacity]  out
 *   count                out: how many
 * Local.  E_IO, E_FORMAT (names file and chunk if a checksum differs). */
enum status spill_read(struct spill *dealt, void *records, int64_t *count, int64_t capacity,
                       struct range *left);

#endif

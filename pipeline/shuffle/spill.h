/* spill.h -- spill files: where a partition pass leaves rows for the next pass.
 *
 * FORMATS.md, "Spill file".  A file holds a run: as many rows as fit into the memory of one
 * rank, sorted by the group of windows they go to.  Each group is stored in compressed chunks.
 * One rank writes a file, many ranks read it.
 */
#ifndef SPILL_H
#define SPILL_H

#include "base/file.h"
#include "base/split.h"
#include "shuffle/records.h"

#include <mpi.h>

/* What all spill files of a shuffle have in common. */
struct spill_form {
    int64_t record;     /* bytes of a record */
    int64_t value;      /* bytes of a value, 2 or 4 */
    int64_t chunk;      /* most records of a chunk */
};

/* A run in memory, to be written group by group. */
struct spill_run {
    void          *records;         /* [count] */
    int64_t        count;
    const int32_t *groups;          /* [count] group of each record, below groups_count */
    int32_t        groups_count;
    int32_t       *sorted;          /* [count] scratch */
    uint8_t       *scratch;         /* [spill_scratch_bytes()] */
};

/* Bytes of scratch for writing or reading a chunk. */
int64_t spill_scratch_bytes(const struct spill_form *form);

/* Path of the spill file of run number `run` in a folder. */
void spill_path(char path[PATH_LENGTH], const char *folder, int64_t run);

/* Write a run to file `part`, which the caller publishes (file_publish()).  Local.  E_IO,
 * E_SPACE. */
enum status spill_write(const char *part, const struct spill_form *form,
                        const struct spill_run *run);

/* The records of one group in all files of a folder, read as one list. */
struct spill {
    struct spill_form form;
    char              folder[PATH_LENGTH];
    int64_t           files;
    struct spill_extent {
        int64_t at, bytes, rows;
    }                *extents;      /* [files] where the group lies in each file */
    int64_t          *before;       /* [files + 1] records of the group in earlier files */
    int               descriptor;   /* of the file being read, or -1 */
    int64_t           number;       /* of that file, or -1 */
    int64_t           at;           /* where in it the next chunk begins */
    struct range      held;         /* records of the list that are in `planes` */
    uint8_t          *planes, *frames;
};

/* Find the records of a group.  Collective.  E_IO, E_FORMAT. */
enum status spill_open(struct spill *spill, MPI_Comm comm, const char *folder, int64_t files,
                       const struct spill_form *form, int32_t group, int32_t groups);
void        spill_close(struct spill *spill);

/* The number of records in the list. */
int64_t spill_rows(const struct spill *spill);

/* Read up to `capacity` records of the list from left->first on, from one chunk, and set
 * left->first to the next record.  A call is cheapest when it continues the one before.
 *   records  [capacity]  out
 *   count                out: records read
 * Local.  E_IO, E_FORMAT (names file and chunk if a checksum differs). */
enum status spill_read(struct spill *spill, void *records, int64_t *count, int64_t capacity,
                       struct range *left);

#endif

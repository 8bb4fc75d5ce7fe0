/* dealt.h -- dealt files: what shuffle puts between two passes.
 *
 * FORMATS.md, "Dealt file".  A file holds a unit, as many rows as fit into the memory of
 * one rank, sorted by the group of windows they go to.  One rank writes it, many read it.
 */
#ifndef DEALT_H
#define DEALT_H

#include "shard/records.h"

#include <mpi.h>

/* Write a file, by way of PATH.part.
 *   records  [count]    their hashes are filled in
 *   groups   [count]    group of each record, below groups_count
 *   sorted   [count]    room to work in
 * Local.  E_IO, E_ROOM. */
enum status dealt_write(const char *path, void *records, int64_t bytes, int64_t count,
                        const int32_t *groups, int32_t groups_count, int32_t *sorted);

/* The records of one group in all files of a folder, as one long list. */
struct dealt {
    char     folder[PATH_LENGTH];
    int64_t  bytes;             /* of a record */
    int64_t  units;             /* files */
    int64_t *first;             /* [units] byte of each file at which the group begins */
    int64_t *before;            /* [units + 1] records of the group in the files before each */
};

/* Path of file `unit` in a folder. */
void dealt_path(char path[PATH_LENGTH], const char *folder, int64_t unit);

/* Find the records of a group.  Collective.  E_IO, E_FORMAT. */
enum status dealt_open(struct dealt *dealt, MPI_Comm comm, const char *folder, int64_t units,
                       int64_t bytes, int32_t group, int32_t groups);
void        dealt_close(struct dealt *dealt);

/* Read records of the list from left->first on, up to `capacity` of them, from one file;
 * move left->first behind them.
 *   records  [capacity]  out
 *   count                out: how many
 * Local.  E_IO, E_FORMAT (names file and record if a checksum differs). */
enum status dealt_read(struct dealt *dealt, void *records, int64_t *count, int64_t capacity,
                       struct range *left);

#endif

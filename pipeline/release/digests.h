/* digests.h -- SHA-256 of files, and the list of them that `sha256sum -c` checks.
 *
 * A list has one line a file, `64 hexadecimal digits, two blanks, name`, sorted by name;
 * names are relative to the folder of the list.
 */
#ifndef DIGESTS_H
#define DIGESTS_H

#include "base/comm.h"

#include <stdint.h>

enum { DIGEST_TEXT = 65 };     /* a sum as text, with its NUL */

struct digest {
    char *name;             /* relative to the folder */
    char  sum[DIGEST_TEXT];    /* "" until computed */
};

struct digests {
    struct digest *files;
    int64_t        count;
};

/* All files under `folder`, sorted by name, without digests; symbolic links and other things
 * that are neither file nor folder are refused.  Rank 0 looks, every rank gets the list.
 * digests_free() accepts an empty one.  Collective.  E_IO, E_FORMAT. */
enum status digests_list(struct digests *digests, MPI_Comm comm, const char *folder);
void        digests_free(struct digests *digests);

/* Append one name.  Local. */
void digests_append(struct digests *digests, const char *name);

/* Compute the sum of every file: file i by rank i mod size.  With `folder` NULL names are
 * paths.  Collective.  E_IO. */
enum status digests_compute(struct digests *digests, MPI_Comm comm, const char *folder);

/* Bytes of all files together.  Local.  E_IO. */
enum status digests_bytes(int64_t *bytes, const struct digests *digests, const char *folder);

/* Write the list to `path` and read it.  Reading refuses lines of another form, names that
 * lead out of the folder, and names out of order.  Local.  E_IO, E_SPACE, E_FORMAT. */
enum status digests_write(const struct digests *digests, const char *path);
enum status digests_read(struct digests *digests, const char *path);

#endif

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

/* List all files in `folder` and its subfolders, sorted by name, without digests.  Rank 0 reads the
 * folders, every rank gets the list.  digests_free() accepts an empty one.  Collective.  E_IO;
 * E_FORMAT for anything that is neither a file nor a folder, such as a symbolic link. */
enum status digests_list(struct digests *digests, MPI_Comm comm, const char *folder);
void        digests_free(struct digests *digests);

/* Append one name.  Local. */
void digests_append(struct digests *digests, const char *name);

/* Compute the sum of every file; rank i mod size computes that of file i.  If `folder` is NULL the
 * names are paths.  Collective.  E_IO. */
enum status digests_compute(struct digests *digests, MPI_Comm comm, const char *folder);

/* The bytes of all files together.  Local.  E_IO. */
enum status digests_bytes(int64_t *bytes, const struct digests *digests, const char *folder);

/* Write the list to `path`; read it from there.  Reading refuses lines of another form, names that
 * lead out of the folder, and names out of order.  Local.  E_IO, E_SPACE, E_FORMAT. */
enum status digests_write(const struct digests *digests, const char *path);
enum status digests_read(struct digests *digests, const char *path);

#endif

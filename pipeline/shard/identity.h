/* identity.h -- which file is this, and what was it made from?
 *
 * Two files of a run may have the same form and shape, and so may those of two runs.  So each file
 * that one stage makes and another reads keeps its place in the run folder, and a hash of all that
 * determines its content (corpus/identities.h).  Its reader compares both with what must be there.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "base/path.h"
#include "base/refuse.h"
#include "suite/site.h"

#include <hdf5.h>
#include <stdint.h>

struct identity {
    char        place[160];     /* its path below the run folder: "harvest/00003/res.01.h5" */
    uint64_t    hash;
    const char *suite;          /* text of the effective suite, and ... */
    const char *until;          /* ... the first of its sections that does not matter */
};

/* The identity of a file in a folder that has one; and of a stream's file there, SITE.LL.h5.
 * Local. */
struct identity identity_within(const struct identity *folder, const char *name);
struct identity identity_of_stream(const struct identity *folder, struct tap tap);

/* Write the attributes `place` and `identity`.  Called as h5_write_int(). */
enum status identity_write(hid_t file, const char *path, const struct identity *identity);

/* Read them, and the attribute `suite`, and refuse the file if it is another one than `wanted`.
 * Local.  E_USAGE names both places, or what was different when it was made; E_FORMAT. */
enum status identity_check(hid_t file, const char *path, const struct identity *wanted);

/* Refuse the file `path` if what it says of itself is not `wanted`.
 *   suite  the text that it was made with, or NULL if it does not say
 * Local.  E_USAGE. */
enum status identity_compare(const char *path, const char *place, uint64_t hash, const char *suite,
                             const struct identity *wanted);

#endif

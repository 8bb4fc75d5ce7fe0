/* walk.h -- what is in a folder.
 *
 * A folder that cannot be read to its end is an error here, which nftw and glob() do not report;
 * and no path is taken for a pattern.  Everything here is Local.
 */
#ifndef WALK_H
#define WALK_H

#include "base/refuse.h"

#include <stdint.h>

/* Names in a folder, sorted by their bytes, without "." and "..". */
struct walk_names {
    char  **name;
    int64_t count;
};

/* Read the names.  walk_names_free() accepts an empty list.  E_IO. */
enum status walk_names(struct walk_names *names, const char *folder);
void        walk_names_free(struct walk_names *names);

/* A symbolic link is WALK_OTHER, whatever it leads to. */
enum walk_kind { WALK_FILE, WALK_FOLDER, WALK_OTHER };

struct walk_place {
    const char    *path;
    enum walk_kind kind;
    int64_t        bytes;   /* of a file */
};

typedef enum status walk_visit(const struct walk_place *place, void *context);

/* Visit `path` and, if it is a folder, all that is in it, in order of the names; a folder comes
 * after its content.  What others remove meanwhile is left out, but `path` must exist.  The
 * first failure ends the walk.  E_IO, and what `visit` returns. */
enum status walk_tree(const char *path, walk_visit *visit, void *context);

#endif

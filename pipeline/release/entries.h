/* entries.h -- the autoencoders of a release: which they are, how they scored, where they go.
 */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "suite/tasks.h"

#include <jansson.h>

/* One trained and scored autoencoder. */
struct entry {
    struct tap      tap;
    struct sae_task sae;
    json_t         *scores;     /* as evaluate wrote them */
    char            folder[192];    /* in the release: "res/layer_1/width_16k/average_l0_71" */
};

struct entries {
    struct entry *entry;
    int           count;
};

/* All autoencoders of a suite, by site, layer, width and L0.  Refuses if one has no scores
 * yet, saying how many.  entries_free() accepts an empty one.
 * Local.  E_IO, E_USAGE (not evaluated yet), E_FORMAT. */
enum status entries_read(struct entries *entries, const struct suite *suite,
                         const struct tasks *tasks);
void        entries_free(struct entries *entries);

/* A score by its name in the file; NAN if it is null there (not finite, or not defined).
 * entries_read() has seen to it that the names in entries.c are there. */
double entries_score(const struct entry *entry, const char *name);

/* One line an autoencoder, with a header line, columns separated by tabs: where it is, what
 * was asked for, and the scores of the report.  Local.  E_IO, E_SPACE. */
enum status entries_write(const struct entries *entries, const char *path);

/* A width as Gemma Scope names it: "512", "16k", "1m" (rounded down). */
const char *entries_width_name(char name[16], int32_t width);

#endif

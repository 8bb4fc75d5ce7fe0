/* entries.h -- the autoencoders of a release, with their scores and their folders. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "corpus/identities.h"
#include "suite/tasks.h"

#include <jansson.h>

/* One trained and scored autoencoder. */
struct entry {
    struct tap      tap;
    struct sae_task sae;
    struct identity identity;   /* of its files in the run; not known of a release alone */
    json_t         *scores;     /* as evaluate wrote them */
    char            folder[192];    /* in the release: "res/layer_1/width_16k/average_l0_71" */
};

struct entries {
    struct entry *entry;
    int           count;
};

/* Read the scores of all autoencoders of a suite, and sort these by site, layer, width and L0.
 * entries_free() accepts an empty struct.  Local.  E_IO; E_USAGE if some have no scores yet (the
 * message says how many), or those of another run or place; E_FORMAT. */
enum status entries_read(struct entries *entries, const struct identities *identities,
                         const struct tasks *tasks);

/* The same from the scores in a release, whose manifest lists the folders of the autoencoders.
 * Local.  E_IO, E_FORMAT, E_NUMERIC. */
enum status entries_read_release(struct entries *entries, const struct tasks *tasks,
                                 const char *release, const json_t *list);
void        entries_free(struct entries *entries);

/* A score by its name in the file; NAN if it is null there (not finite, or not defined).
 * entries_read() has checked that the file has the names that entries.c lists. */
double entries_score(const struct entry *entry, const char *name);

/* A table (FORMATS.md, scores.tsv): folder, requested parameters and scores of each autoencoder.
 * Caller frees.  entries_write() writes it.  Local.  E_IO, E_SPACE. */
char       *entries_text(const struct entries *entries);
enum status entries_write(const struct entries *entries, const char *path);

/* A width as Gemma Scope names it: "512", "16k", "1m" (rounded down). */
const char *entries_width_name(char name[16], int32_t width);

#endif

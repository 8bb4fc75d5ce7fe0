/* suppression.h -- copy suppression of some heads: by their weights (heads/copy_ranks.h), and by
 * what remains of them on texts (heads/copy_suppression.h). */
#ifndef SUPPRESSION_H
#define SUPPRESSION_H

#include "heads/copy_ranks.h"
#include "heads/copy_suppression.h"
#include "methods/methods.h"

#include <jansson.h>

/* Texts, rows of ids.  Not owned. */
struct suppression_texts {
    const int32_t *ids;         /* [count, stride] */
    const int32_t *length;      /* [count] what follows is padding */
    int64_t        count, stride;
};

/* What a task finds. */
struct suppression {
    const struct circuit *circuit;
    int64_t *head;              /* [heads] ascending */
    int64_t  heads;
    int64_t  shares;            /* circuit.shares */
    /* For each share what survives, along the directions of the sources; the same as a whole; last
     * all sources, along their directions. */
    struct copy_suppression_variant *variant;   /* [variants] */
    int      variants;
    int32_t *rank[2];           /* [heads, vocabulary] of each enum copy_ranks_kind, on rank 0; NULL
                                   for QK: the model has none */
    int64_t *texts_at;          /* [tokens] texts that have the position */
    double  *sums;              /* [heads, COPY_SUPPRESSION_VARIANTS + variants, tokens], nats */
};

/* Bytes of everything below at its peak.  Local. */
int64_t suppression_bytes(const struct suite *suite, const struct lm_config *config,
                          struct circuit_shape shape, int64_t heads);

/* Start, for these heads [layers * heads].  Local.  suppression_free() accepts an empty one. */
void suppression_make(struct suppression *s, const struct circuit *circuit, const bool *chosen);
void suppression_free(struct suppression *s);

/* Find the ranks.  Collective.  E_USAGE; E_STOPPED. */
enum status suppression_rank(struct suppression *s, const struct unembedding *unembedding);

/* Score the heads on texts.
 *   texts          all ranks have the same, each as long as circuit's prompts at most
 *   means          texts over which a head's mean is taken; without any it is 0
 *   function_word  [vocabulary]
 * Collective.  As forward_start(); E_NUMERIC; E_STOPPED. */
enum status suppression_score(struct suppression *s, const struct unembedding *unembedding,
                              const struct suppression_texts *texts,
                              const struct suppression_texts *means, const bool *function_word);

/* Write RUN/circuit/NAME.h5, .html and .json (RESULTS.md), and the page alone, of "heads" in the
 * JSON.  Local, for rank 0.  E_IO, E_SPACE. */
enum status suppression_write(const struct suppression *s, const char *name);
enum status suppression_page_write(const struct suppression *s, const char *name,
                                   const json_t *heads);

/* Bytes of the first.  Local. */
double      suppression_disk(const struct lm_config *config, struct circuit_shape shape);

#endif

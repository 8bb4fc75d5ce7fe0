/* succession.h -- which heads move a word of an ordered class to the next one, and by which
 * directions (heads/successor.h, heads/mod_ten.h). */
#ifndef SUCCESSION_H
#define SUCCESSION_H

#include "heads/effective.h"
#include "heads/successor.h"
#include "methods/methods.h"

#include <jansson.h>

/* Directions of last digits: of a probe, of an autoencoder's latents. */
enum succession_digits { SUCCESSION_PROBE, SUCCESSION_LATENTS, SUCCESSION_DIGITS };

/* What a task finds.  Tokens are those of all classes, one class after the other. */
struct succession {
    const struct circuit *circuit;
    struct ordinals ordinals;
    int64_t *first;             /* [classes + 1] where the tokens of each class begin */
    int64_t *head;              /* [heads] ascending */
    int64_t  heads;
    float   *x[EFFECTIVE_KINDS];        /* [tokens, width] what they are */
    int32_t *answer[EFFECTIVE_KINDS];   /* [heads, tokens] the answer to each, within its class */
    struct successor_decoding decoding[EFFECTIVE_KINDS];
    int32_t  numbers;           /* the class of circuit.numbers; -1: no digits */
    struct sae     sae;         /* of circuit.autoencoder */
    struct mod_ten ten[SUCCESSION_DIGITS];      /* of what MLP 0 adds; width 0: not found */
    int32_t *right[SUCCESSION_DIGITS], *tried[SUCCESSION_DIGITS];   /* [heads, tokens] arithmetic */
};

/* Bytes of everything below at its peak.  Local. */
int64_t succession_bytes(const struct suite *suite, const struct lm_config *config);

/* Read classes and autoencoder, choose the heads, and start.  succession_free() is due after a
 * failure, too.  Local, the same on all ranks.  E_USAGE, E_IO, E_FORMAT, E_SPACE. */
enum status succession_make(struct succession *s, const struct circuit *circuit);
void        succession_free(struct succession *s);

/* Find digits, and the answers of all heads.  answer, right and tried are then on rank 0.
 * Collective.  E_USAGE; E_STOPPED. */
enum status succession_find(struct succession *s);

/* Write RUN/circuit/NAME.h5, .html and .json (RESULTS.md), and the page alone, of the JSON.
 * Local, for rank 0.  E_IO, E_SPACE. */
enum status succession_write(const struct succession *s, const char *name);
enum status succession_page_write(const struct succession *s, const char *name,
                                  const json_t *summary);

#endif

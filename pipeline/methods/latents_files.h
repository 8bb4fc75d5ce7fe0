/* latents_files.h -- the files of the method latents, as RESULTS.md defines them.  Local, for
 * rank 0. */
#ifndef LATENTS_FILES_H
#define LATENTS_FILES_H

#include "methods/chosen_saes.h"
#include "methods/methods.h"

#include <jansson.h>

struct latents_results {
    const struct latent_circuit *nodes;
    const struct chosen_saes    *chosen;
    double  *scores;        /* [nodes] */
    int64_t *order;         /* [nodes] largest first, signs aside */
    int64_t  samples;       /* nodes whose effect is measured: the first of the order */
    double  *effects;       /* [samples] */
    int64_t  sizes;
    int64_t *kept;          /* [sizes] number of nodes kept, the first of the order */
    double *values; /* [sizes] the metric then; the first is that of none, the last of all */
};

/* Write RUN/circuit/NAME.h5, .html and .json, and the page alone, of the JSON.  E_IO, E_SPACE. */
enum status latents_files_write(const struct circuit *circuit, const char *name,
                                const struct latents_results *results);
enum status latents_files_write_page(const struct circuit *circuit, const char *name,
                                     const json_t *summary);

#endif

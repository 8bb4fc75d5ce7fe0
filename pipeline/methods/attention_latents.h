/* attention_latents.h -- the method attention_latents: latents of attention outputs, taken apart.
 *
 * Of each chosen autoencoder of a stream attn: the share of each head in each latent
 * (heads/latent_heads.h).  Of some of its latents, on each prompt, where the latent is strongest:
 * the parts of each head and source token in its pre-activation; and of each latent of the residual
 * stream below, if an autoencoder of that stream is chosen, too (heads/latent_sources.h).
 */
#ifndef ATTENTION_LATENTS_H
#define ATTENTION_LATENTS_H

#include "heads/latent_sources.h"
#include "methods/chosen_saes.h"
#include "methods/fields.h"

#include <jansson.h>

/* What is found of each prompt; all numbers of a latent, or target, lie side by side.  From
 * ATTENTION_LATENTS_BELOW on it needs an autoencoder below. */
enum attention_latents_field {
    ATTENTION_LATENTS_POSITION, ATTENTION_LATENTS_PRE_ACTIVATION, ATTENTION_LATENTS_ACTIVATION,
    ATTENTION_LATENTS_HEAD,             /* [heads] */
    ATTENTION_LATENTS_PART,             /* [heads, tokens] */
    ATTENTION_LATENTS_BELOW,            /* [tokens] of all latents below */
    ATTENTION_LATENTS_ERROR,            /* [tokens] */
    ATTENTION_LATENTS_BIAS,             /* [tokens] */
    ATTENTION_LATENTS_STRONGEST,        /* [ATTENTION_LATENTS_LISTED] single latents below: */
    ATTENTION_LATENTS_STRONGEST_POSITION,       /* the same; -1: there are fewer */
    ATTENTION_LATENTS_STRONGEST_LATENT,
    ATTENTION_LATENTS_FIELDS
};

/* How many are listed of the strongest of something. */
enum { ATTENTION_LATENTS_LISTED = 10 };

/* An autoencoder of a stream attn, by its number among the chosen ones, and that of the residual
 * stream which its layer reads; -1: none is chosen. */
struct attention_latents_site {
    int own, below;
};

struct attention_latents_target {
    int     site;
    int32_t latent;
    struct latent_sources_target reader;
};

struct attention_latents {
    const struct suite        *suite;
    const struct chosen_saes  *chosen;
    const struct latent_site  *saes;        /* [chosen->count], or NULL while they are not read */
    int     sites;
    int64_t targets;
    struct attention_latents_site   *site;      /* [sites] in the order of layers */
    struct attention_latents_target *target;    /* [targets] ordered by sites */
    struct field  field[ATTENTION_LATENTS_FIELDS];
    struct fields results;
};

/* --- what is taken apart: attention_latents.c, Local ------------------------------------- */

/* Find sites, and the targets that circuit.latents names.  `chosen` must outlive `all`;
 * attention_latents_free() is due after a failure, too.  E_USAGE: no autoencoder is of attn, one
 * has no use, there is no such latent, no latent is asked for. */
enum status attention_latents_find(struct attention_latents *all, const struct suite *suite,
                                   const struct chosen_saes *chosen);
void attention_latents_free(struct attention_latents *all);

/* Let circuit.samples of each site be the targets, those of largest values above 0, of equal ones
 * the lower number first.
 *   most [latents of all sites, side by side]  in
 * E_USAGE if none is above 0. */
enum status attention_latents_choose(struct attention_latents *all, const float *most);

/* Name the fields of `targets` latents.  Each latent has the same number of columns of a field.
 * Returns the number of fields. */
int attention_latents_name(struct field field[ATTENTION_LATENTS_FIELDS], int64_t targets,
                           bool below, const struct lm_config *config, int64_t tokens);

/* The numbers of a target on a prompt. */
double *attention_latents_values(const struct attention_latents *all,
                                 enum attention_latents_field field, int64_t prompt,
                                 int64_t target);

/* The places of the largest of `count` values, signs aside, largest first, of equal ones the first.
 * What is 0 or not a number has no place.  Returns how many.
 *   place [most]  out */
int attention_latents_strongest(int64_t *place, int most, const double *value, int64_t count);

/* --- prompts: attention_latents_worker.c ------------------------------------------------- */

struct attention_latents_worker {
    struct attention_latents *all;
    const struct circuit *circuit;
    struct forward forward;
    struct latent_sources sources;
    float *latents; /* [tokens, latents of the widest autoencoder of attn] of a prompt */
    float *below;   /* the same of the widest of a stream below */
    double *part;   /* the same: parts of these */
    float *error;   /* [tokens, width] */
    float *most;    /* [latents of all sites] largest activation */
};

/* Bytes of a rank; the shape's numbers of prompts and tokens count. */
int64_t attention_latents_worker_bytes(const struct suite *suite, const struct lm_config *config,
                                       struct circuit_shape shape);
void    attention_latents_worker_make(struct attention_latents_worker *worker,
                                      struct attention_latents *all,
                                      const struct circuit *circuit);
void    attention_latents_worker_free(struct attention_latents_worker *worker);

/* Find the largest activation of each latent, the same on all ranks.  Collective.  E_STOPPED, as
 * forward_start(). */
enum status attention_latents_worker_measure(struct attention_latents_worker *worker);

/* Take the targets apart; rank 0 has the results of all prompts.  Collective.  The same. */
enum status attention_latents_worker_run(struct attention_latents_worker *worker);

/* --- files: attention_latents_files.c, Local, for rank 0 --------------------------------- */

/* Write RUN/circuit/NAME.h5, .html and .json.  E_IO, E_SPACE, E_FORMAT. */
enum status attention_latents_write(const struct attention_latents *all,
                                    const struct circuit *circuit, const char *name);

/* Write the page alone, of the results and the JSON: attention_latents_page.c.  The same. */
enum status attention_latents_page_write(const struct attention_latents *all,
                                         const struct circuit *circuit, const char *name,
                                         const json_t *summary);

#endif

/* steering_saes.h -- the two autoencoders of steering: the one whose decoder rows are added, and
 * the one whose latents are read.  It may be the same.  Everything here is Local. */
#ifndef STEERING_SAES_H
#define STEERING_SAES_H

#include "methods/chosen_saes.h"

struct steering_saes {
    struct chosen_saes from, read;  /* one each */
    struct suite       reading;     /* a suite that chooses the second; it owns nothing */
};

/* Find the two.  steering_saes_free() is due after a failure, too.  As chosen_saes_find(). */
enum status steering_saes_find(struct steering_saes *chosen, const struct suite *suite,
                               int layers);
void        steering_saes_free(struct steering_saes *chosen);

/* Latents of both; 0 if they are not found. */
struct steering_latents {
    int32_t from, read;
};

struct steering_latents steering_saes_latents(const struct suite *suite,
                                              const struct lm_config *config);

/* Bytes that the ranks of a node have in common for them. */
int64_t steering_saes_shared(const struct suite *suite, const struct lm_config *config);

#endif

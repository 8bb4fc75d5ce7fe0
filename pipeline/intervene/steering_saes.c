#include "intervene/steering_saes.h"

#include <stdlib.h>

/* Make a suite that chooses the autoencoder that is read. */
static void make_reading(struct suite *reading, const struct suite *suite)
{
    *reading = *suite;
    if (suite->intervene.read[0] != '\0') {
        reading->intervene.autoencoders = &reading->intervene.read;
        reading->intervene.autoencoders_count = 1;
    }
}

enum status steering_saes_find(struct steering_saes *chosen, const struct suite *suite, int layers)
{
    enum status st;

    *chosen = (struct steering_saes){0};
    make_reading(&chosen->reading, suite);
    TRY(chosen_saes_find(&chosen->from, suite, layers));
    TRY(chosen_saes_find(&chosen->read, &chosen->reading, layers));
done:
    return st;
}

void steering_saes_free(struct steering_saes *chosen)
{
    chosen_saes_free(&chosen->from);
    chosen_saes_free(&chosen->read);
}

static int32_t known_latents(const struct suite *suite, const struct lm_config *config)
{
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, config);
    const int32_t latents = count > 0 ? sites[0].sae.latents : 0;

    free(sites);
    return latents;
}

struct steering_latents steering_saes_latents(const struct suite *suite,
                                              const struct lm_config *config)
{
    struct suite reading;

    make_reading(&reading, suite);
    return (struct steering_latents){ known_latents(suite, config),
                                      known_latents(&reading, config) };
}

int64_t steering_saes_shared(const struct suite *suite, const struct lm_config *config)
{
    struct suite reading;

    make_reading(&reading, suite);
    return chosen_saes_shared(suite, config) + chosen_saes_shared(&reading, config);
}

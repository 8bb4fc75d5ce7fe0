#include "step/pass.h"
#include "step/architecture.h"

#include <math.h>

int64_t pass_most_entries(const struct recipe *recipe, int64_t capacity)
{
    const struct architecture *architecture = architecture_of(recipe->architecture);

    return architecture->auxiliary == AUXILIARY_ROW ? 2 * capacity : capacity;
}

int64_t pass_count(const struct training *training)
{
    const double capacity = (double)training->list_capacity;
    const double most = (double)pass_most_entries(&training->recipe, training->list_capacity);
    const double all = training->density * (double)(training->batch * training->latents);
    const double of_tile = training->density * (double)(training->batch * LATENT_TILE);
    const int64_t tiles = split_blocks(training->latents, LATENT_TILE);

    if (training->architecture->traits->keeps_k || !(all > most))
        return 1;
    return split_blocks(tiles, max_int64((int64_t)floor(capacity / of_tile), 1));
}

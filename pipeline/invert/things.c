#include "invert/things.h"
#include "base/allocate.h"
#include "lm/forward.h"
#include "lm/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum invert_generator generator_of(const struct things *things)
{
    return things->source->suite->invert.generator;
}

/* --- from a file ------------------------------------------------------------------------- */

/* Open the suite's file and find what is seen. */
static enum status open_seen(struct safetensors *file, const struct safetensor **seen,
                             const struct things *things)
{
    const char *path = things->source->suite->invert.networks;
    enum status st;

    TRY(safetensors_open_file(file, path));
    *seen = safetensors_find(file, "seen");
    REQUIRE(*seen != NULL, E_USAGE, "%s has no tensor seen [things, values]: what is explained",
            path);
    REQUIRE((*seen)->rank == 2 && (*seen)->count > 0 && (*seen)->shape[1] <= INT32_MAX, E_FORMAT,
            "%s: seen must be a matrix [things, values], and not empty", path);
    TRY(safetensors_check(*seen));
done:
    return st;
}

static enum status read_from_file(struct thing *thing, const struct things *things, int64_t number)
{
    struct safetensors file = {0};
    const struct safetensor *seen;
    float *values = NULL;
    enum status st;

    TRY(open_seen(&file, &seen, things));
    thing->width = (int32_t)seen->shape[1];
    values = allocate(thing->width, sizeof *values);
    TRY(safetensors_finite(seen, safetensors_part(values, PRECISION_F32, seen,
                                                  number * thing->width, thing->width)));
    thing->values = allocate(thing->width, sizeof *thing->values);
    for (int32_t i = 0; i < thing->width; i++)
        thing->values[i] = (double)values[i];
done:
    free(values);
    safetensors_close(&file);
    return st;
}

/* --- rows of the model ------------------------------------------------------------------- */

/* A row of the site where the cursor stands.  Caller frees. */
static float *copy_row(const struct forward *forward, int64_t position)
{
    float *row = allocate(forward->width, sizeof *row);

    memcpy(row, forward->values + position * forward->width,
           (size_t)forward->width * sizeof *row);
    return row;
}

/* Run the text up to the site.
 *   row  out: caller frees, after a failure, too */
static enum status run_text(struct thing *thing, const struct things *things, float **row)
{
    const struct prompts *prompts = things->prompts;
    struct forward forward;
    enum status st;

    forward_make(&forward, things->source->weights, 1, prompts->tokens);
    TRY(forward_start(&forward, prompts->clean + thing->prompt * prompts->tokens, 1));
    if (generator_of(things) == INVERT_MLP) {
        forward_to(&forward, (struct tap){ SITE_MLP_IN, things->tap.layer });
        thing->inners = forward.width;
        thing->inner = copy_row(&forward, thing->position);
    }
    forward_to(&forward, things->tap);
    thing->width = forward.width;
    *row = copy_row(&forward, thing->position);
done:
    forward_free(&forward);
    return st;
}

/* Divide the row. */
static enum status measure(struct thing *thing, const float *row)
{
    double sum = 0;
    enum status st;

    for (int32_t i = 0; i < thing->width; i++)
        sum += (double)row[i] * (double)row[i];
    thing->unit = sqrt(sum / thing->width);
    REQUIRE(thing->unit > 0 && isfinite(thing->unit), E_NUMERIC, "the row of position %lld of text "
            "%lld is %s, which nothing explains", (long long)thing->position,
            (long long)thing->prompt, thing->unit == 0 ? "0" : "not finite");
    thing->values = allocate(thing->width, sizeof *thing->values);
    for (int32_t i = 0; i < thing->width; i++)
        thing->values[i] = (double)row[i] / thing->unit;
done:
    return st;
}

static enum status read_from_text(struct thing *thing, const struct things *things, int64_t number)
{
    const struct prompts_lists *positions = &things->prompts->positions;
    const struct sae *sae = things->source->sae;
    float *row = NULL;
    enum status st;

    thing->prompt = 0;
    while (positions->first[thing->prompt + 1] <= number)
        thing->prompt++;
    thing->position = positions->items[number];
    TRY(run_text(thing, things, &row));
    TRY(measure(thing, row));
    if (generator_of(things) == INVERT_DECODER) {
        thing->inners = sae->latents;
        thing->inner = allocate(sae->latents, sizeof *thing->inner);
        sae_encode(sae, thing->inner, row, 1);
    }
done:
    free(row);
    return st;
}

/* --- all --------------------------------------------------------------------------------- */

enum status things_count(int64_t *count, const struct things *things)
{
    struct safetensors file = {0};
    const struct safetensor *seen;
    enum status st = OK;

    if (generator_of(things) != INVERT_NETWORK) {
        *count = things->prompts->positions.first[things->prompts->count];
        return OK;
    }
    TRY(open_seen(&file, &seen, things));
    *count = seen->shape[0];
done:
    safetensors_close(&file);
    return st;
}

enum status things_read(struct thing *thing, const struct things *things, int64_t number)
{
    *thing = (struct thing){ .unit = 1, .prompt = -1, .position = -1 };
    if (generator_of(things) == INVERT_NETWORK)
        return read_from_file(thing, things, number);
    return read_from_text(thing, things, number);
}

void things_free(struct thing *thing)
{
    free(thing->values);
    free(thing->inner);
    *thing = (struct thing){0};
}

int64_t things_bytes(const struct inversion_source *source, int64_t tokens, int threads)
{
    const struct lm_config *config = source->config;

    if (source->suite->invert.generator == INVERT_NETWORK)
        return 0;
    return forward_bytes(config, PRECISION_F32, 1, tokens, threads)
         + 3 * lm_widest_site(config) * (int64_t)sizeof(double)
         + (source->sae != NULL ? source->sae->latents : 0) * (int64_t)sizeof(float);
}

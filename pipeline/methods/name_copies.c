#include "methods/name_copies.h"
#include "base/allocate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const enum prompts_class NAMES[] = { PROMPTS_IO, PROMPTS_S1, PROMPTS_S2 };

enum { NAMES_COUNT = sizeof NAMES / sizeof *NAMES };

static int64_t most_names(const struct suite *suite)
{
    return NAMES_COUNT * suite->circuit.block;
}

int64_t name_copies_bytes(const struct suite *suite, const struct lm_config *config)
{
    const int64_t name = config->width * (int64_t)sizeof(float) + (int64_t)sizeof(int32_t)
                       + (int64_t)sizeof(int64_t) + 2;

    return most_names(suite) * name + copy_score_bytes(config, most_names(suite));
}

void name_copies_make(struct name_copies *n, const struct circuit *circuit)
{
    const int64_t most = most_names(circuit->suite);

    *n = (struct name_copies){
        .prompts = circuit->prompts,
        .stream = allocate(most * circuit->config->width, sizeof(float)),
        .id = allocate(most, sizeof *n->id),
        .prompt = allocate(most, sizeof *n->prompt),
        .copied = allocate(most, sizeof(bool)),
        .negative = allocate(most, sizeof(bool)),
    };
    copy_score_make(&n->score, circuit->weights, most);
}

void name_copies_free(struct name_copies *n)
{
    copy_score_free(&n->score);
    free(n->stream);
    free(n->id);
    free(n->prompt);
    free(n->copied);
    free(n->negative);
    *n = (struct name_copies){0};
}

void name_copies_read(struct name_copies *n, const struct forward *f, struct range range)
{
    const struct prompts *prompts = n->prompts;

    n->range = range;
    n->names = 0;
    if (!copy_score_exists(&f->weights->config))
        return;
    for (int64_t p = range.first; p < range.end; p++)
        for (int i = 0; i < NAMES_COUNT; i++) {
            const int64_t at = prompts->classes[p * PROMPTS_CLASSES + NAMES[i]];
            if (at < 0)
                continue;
            memcpy(n->stream + n->names * f->width,
                   f->values + ((p - range.first) * f->context + at) * f->width,
                   (size_t)f->width * sizeof(float));
            n->id[n->names] = prompts->clean[p * prompts->tokens + at];
            n->prompt[n->names++] = p;
        }
    copy_score_read(&n->score, n->stream, n->names);
}

/* The share of a prompt's names for which something is so. */
static double share_of(const struct name_copies *n, const bool *is_so, int64_t prompt)
{
    int64_t names = 0, so = 0;

    for (int64_t i = 0; i < n->names; i++)
        if (n->prompt[i] == prompt) {
            names++;
            so += is_so[i];
        }
    return names > 0 ? (double)so / (double)names : (double)NAN;
}

void name_copies_find(struct name_copies *n, double *copied, double *negative, int64_t stride,
                      int layer, int head)
{
    copy_score_find(&n->score, n->copied, n->negative, n->id, n->names, layer, head);
    for (int64_t p = n->range.first; p < n->range.end; p++) {
        copied[(p - n->range.first) * stride] = share_of(n, n->copied, p);
        negative[(p - n->range.first) * stride] = share_of(n, n->negative, p);
    }
}

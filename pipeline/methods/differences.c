#include "methods/differences.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <stdlib.h>
#include <string.h>

enum status differences_check(const struct prompts *prompts, const char *method)
{
    enum status st = OK;

    for (int64_t p = 0; p < prompts->count; p++) {
        const struct prompts_lists *answers = &prompts->answers, *wrong = &prompts->wrong;
        REQUIRE(answers->first[p] < answers->first[p + 1] && wrong->first[p] < wrong->first[p + 1],
                E_USAGE, "prompt %lld has no %s, but the method %s compares answers with wrong "
                "ones", (long long)p + 1,
                answers->first[p] < answers->first[p + 1] ? "\"wrong\"" : "\"answers\"", method);
        REQUIRE(prompts->positions.first[p + 1] - prompts->positions.first[p] == 1, E_USAGE,
                "prompt %lld has %d \"positions\", but the method %s looks at one",
                (long long)p + 1, prompts->positions.first[p + 1] - prompts->positions.first[p],
                method);
    }
done:
    return st;
}

int64_t differences_bytes(const struct suite *suite, const struct lm_config *c)
{
    return suite->circuit.block * (c->outputs + (int64_t)c->width) * (int64_t)sizeof(float)
         + head_bytes(c);
}

void differences_make(struct differences *d, const struct circuit *circuit)
{
    const struct lm_config *c = circuit->config;
    const int64_t block = circuit->suite->circuit.block;

    *d = (struct differences){
        .prompts = circuit->prompts,
        .outputs = c->outputs,
        .ends = allocate(block * c->width, sizeof(float)),
        .logits = allocate(block * c->outputs, sizeof(float)),
    };
    head_make(&d->head, circuit->weights);
}

void differences_free(struct differences *d)
{
    free(d->ends);
    free(d->logits);
    head_free(&d->head);
    *d = (struct differences){0};
}

int64_t differences_end(const struct prompts *prompts, int64_t prompt)
{
    const int32_t *positions;

    prompts_list(&prompts->positions, prompt, &positions);
    return positions[0];
}

const float *differences_row(const struct differences *d, const struct forward *f,
                             struct range range, int64_t prompt)
{
    return f->values + ((prompt - range.first) * f->context
                        + differences_end(d->prompts, prompt)) * f->width;
}

void differences_find(struct differences *d, struct forward *f, struct range range)
{
    const int64_t rows = range_length(range), width = f->weights->config.width;

    forward_to(f, forward_end(f));
    for (int64_t p = range.first; p < range.end; p++)
        memcpy(d->ends + (p - range.first) * width, differences_row(d, f, range, p),
               (size_t)width * sizeof(float));
    for (int64_t r = 0; r < rows; r += d->head.tile)
        head_logits(&d->head, d->logits + r * d->outputs, d->ends + r * width,
                    min_int64(d->head.tile, rows - r));
}

const float *differences_logits(const struct differences *d, struct range range, int64_t prompt)
{
    return d->logits + (prompt - range.first) * d->outputs;
}

static double mean_logit(const float *logits, const struct prompts_lists *lists, int64_t prompt)
{
    const int32_t *ids;
    const int64_t count = prompts_list(lists, prompt, &ids);
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += (double)logits[ids[i]];
    return sum / (double)count;
}

double differences_of(const struct differences *d, struct range range, int64_t prompt)
{
    const float *logits = differences_logits(d, range, prompt);

    return mean_logit(logits, &d->prompts->answers, prompt)
         - mean_logit(logits, &d->prompts->wrong, prompt);
}

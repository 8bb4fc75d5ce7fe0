#include "circuit/walkers.h"
#include "base/allocate.h"
#include "base/die.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

int64_t walkers_bytes(const struct experiment_setup *s, const struct lm_config *c)
{
    const int64_t sequences = experiment_sequences(s);

    return forward_bytes(c, PRECISION_F32, sequences, s->context, 1)
         + backward_bytes(c, sequences, s->context, 1)
         + sequences * s->context * c->width * (int64_t)sizeof(float);
}

struct walker *walkers_make(const struct experiment *e, int threads)
{
    const struct experiment_setup *s = &e->setup;
    struct walker *walkers = allocate(threads, sizeof *walkers);

    /* The buffers of a walker are one thread's. */
    omp_set_num_threads(1);
    for (int i = 0; i < threads; i++) {
        struct walker *w = &walkers[i];
        forward_make(&w->forward, s->weights, e->sequences, s->context);
        backward_make(&w->backward, &w->forward);
        w->gradient = allocate(e->sequences * s->context * s->weights->config.width,
                               sizeof *w->gradient);
    }
    omp_set_num_threads(threads);
    return walkers;
}

void walkers_free(struct walker *walkers, int threads)
{
    for (int i = 0; walkers != NULL && i < threads; i++) {
        free(walkers[i].gradient);
        backward_free(&walkers[i].backward);
        forward_free(&walkers[i].forward);
    }
    free(walkers);
}

void walkers_start(struct walker *w, const struct experiment *e, int64_t block)
{
    const struct experiment_setup *s = &e->setup;
    const struct range prompts = experiment_prompts(e, block);

    /* experiment_make() has checked the ids. */
    if (forward_start(&w->forward, s->clean + prompts.first * s->context, range_length(prompts))
        != OK)
        die("bug: %s", refuse_reason());
}

void walkers_end(const struct walker *w, struct experiment *e, int64_t block)
{
    const struct range prompts = experiment_prompts(e, block);
    const struct range questions = experiment_questions(e, prompts);
    const int64_t width = e->setup.weights->config.width;

    for (int64_t i = questions.first; i < questions.end; i++)
        memcpy(e->streams + i * width, w->forward.values + experiment_row(e, prompts, i) * width,
               (size_t)width * sizeof(float));
}

void walkers_turn(struct walker *w, const struct experiment *e, int64_t block,
                  const float *gradients)
{
    const struct range prompts = experiment_prompts(e, block);
    const struct range questions = experiment_questions(e, prompts);
    const int64_t width = e->setup.weights->config.width;

    memset(w->gradient, 0, (size_t)(w->forward.rows * width) * sizeof(float));
    for (int64_t i = questions.first; i < questions.end; i++)
        memcpy(w->gradient + experiment_row(e, prompts, i) * width, gradients + i * width,
               (size_t)width * sizeof(float));
    backward_start(&w->backward, w->gradient);
}

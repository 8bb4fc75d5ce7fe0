#include "intervene/steering_targets.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "intervene/steering_completions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- learning ------------------------------------------------------------------------ */

/* All vectors, and a block of latents; the held-out vectors are the last rows. */
struct lesson {
    const struct steering_job *job;
    struct approximator *map;
    int64_t vectors, held;
    float  *x;                  /* [vectors, width] */
    float  *y;                  /* [vectors, latents of a block] */
    float  *portion;            /* [vectors of a portion, latents] */
    float  *guess;              /* [held, latents of a block] */
    double *sums;               /* [blocks, SUMS] of held-out vectors */
};

/* Squares: of what the map misses, of effects less their mean, of effects. */
enum { MISSED, VARIED, ALL, SUMS };

static int64_t blocks_of(const struct lesson *l)
{
    return split_blocks(l->map->latents, APPROXIMATOR_LATENTS);
}

/* The row of a vector: every one of equal steps is held out. */
static int64_t row_of(const struct lesson *l, int64_t vector)
{
    const int64_t before = vector * l->held / l->vectors;
    const bool held = (vector + 1) * l->held / l->vectors > before;

    return held ? l->vectors - l->held + before : vector - before;
}

static enum status make_lesson(struct lesson *l)
{
    const struct suite_intervene *wish = &l->job->intervention->suite->intervene;
    const int64_t width = l->map->width;
    const int64_t columns = min_int64(APPROXIMATOR_LATENTS, l->map->latents);
    enum status st = OK;

    l->vectors = wish->vectors;
    l->held = wish->held_out;
    l->x = allocate(l->vectors * width, sizeof(float));
    l->y = allocate(l->vectors * columns, sizeof(float));
    l->portion = allocate(min_int64(wish->portion, l->vectors) * l->map->latents, sizeof(float));
    l->guess = allocate(l->held * columns, sizeof(float));
    l->sums = allocate(blocks_of(l) * SUMS, sizeof(double));
    for (int64_t v = 0; v < l->vectors; v++)
        TRY(steering_job_vector(l->job, l->x + row_of(l, v) * width, v));
done:
    return st;
}

static void free_lesson(struct lesson *l)
{
    free(l->x);
    free(l->y);
    free(l->portion);
    free(l->guess);
    free(l->sums);
}

/* Read the effects of all vectors on a block of latents. */
static enum status read_effects(struct lesson *l, struct range latents)
{
    const struct suite *suite = l->job->intervention->suite;
    const int64_t columns = range_length(latents);
    enum status st = OK;

    for (int64_t p = 0; p < steering_files_portions(suite); p++) {
        const struct range own = steering_files_portion(suite, p);
        TRY(steering_files_read_effects(l->job, p, l->portion));
        for (int64_t v = own.first; v < own.end; v++)
            memcpy(l->y + row_of(l, v) * columns,
                   l->portion + (v - own.first) * l->map->latents + latents.first,
                   (size_t)columns * sizeof(float));
    }
done:
    return st;
}

/* Compare a block of held-out effects with what is predicted, and with the mean of the others. */
static void judge(struct lesson *l, int64_t block, int64_t columns)
{
    const int64_t learnt = l->vectors - l->held, width = l->map->width;
    double *sums = l->sums + block * SUMS;

    approximator_predict(l->map, block, l->guess, l->x + learnt * width, l->held);
    for (int64_t i = 0; i < columns; i++) {
        double mean = 0;
        for (int64_t v = 0; v < learnt; v++)
            mean += (double)l->y[v * columns + i] / (double)learnt;
        for (int64_t v = 0; v < l->held; v++) {
            const double y = (double)l->y[(learnt + v) * columns + i];
            const double missed = y - (double)l->guess[v * columns + i];
            sums[MISSED] += missed * missed;
            sums[VARIED] += (y - mean) * (y - mean);
            sums[ALL] += y * y;
        }
    }
}

/* The blocks of this rank. */
static enum status learn_own(struct lesson *l)
{
    const struct run *run = l->job->intervention->run;
    const struct suite_intervene *wish = &l->job->intervention->suite->intervene;
    const struct approximator_recipe recipe = {
        .epochs = wish->epochs, .batch = wish->batch, .rate = wish->rate,
        .seed = (uint64_t)wish->seed,
    };
    const struct range own = split_range(blocks_of(l), run->rank, run->size);
    enum status st;

    TRY(make_lesson(l));
    for (int64_t b = own.first; b < own.end; b++) {
        const struct range latents = split_block(l->map->latents, APPROXIMATOR_LATENTS, b);
        TRY(read_effects(l, latents));
        approximator_fit(l->map, b, &recipe, l->x, l->y, l->vectors - l->held);
        judge(l, b, range_length(latents));
    }
done:
    return st;
}

/* Each number is one rank's, and 0 on the others.  Collective. */
static void gather(struct lesson *l, struct steering_quality *quality)
{
    const MPI_Comm comm = l->job->intervention->run->comm;
    const int64_t latents = l->map->latents, blocks = blocks_of(l);
    double all[SUMS] = {0};

    for (int64_t k = 0; k < l->map->width; k++)
        MPI_Allreduce(MPI_IN_PLACE, l->map->matrix + k * latents, (int)latents, MPI_FLOAT, MPI_SUM,
                      comm);
    MPI_Allreduce(MPI_IN_PLACE, l->map->bias, (int)latents, MPI_FLOAT, MPI_SUM, comm);
    MPI_Allreduce(MPI_IN_PLACE, l->sums, comm_count(blocks * SUMS), MPI_DOUBLE, MPI_SUM, comm);
    for (int64_t i = 0; i < blocks * SUMS; i++)
        all[i % SUMS] += l->sums[i];
    *quality = (struct steering_quality){
        .error = sqrt(all[MISSED] / all[ALL]), .r2 = 1 - all[MISSED] / all[VARIED],
        .vectors = l->held,
    };
}

/* Collective. */
static enum status learn(const struct steering_job *job, struct approximator *map,
                         struct steering_quality *quality)
{
    struct lesson lesson = { .job = job, .map = map };
    enum status st;

    TRY_ALL(job->intervention->run->comm, learn_own(&lesson));
    gather(&lesson, quality);
    run_note(job->intervention->run, "the linear map misses %.3f of the held-out effects, R2 %.3f",
             quality->error, quality->r2);
done:
    free_lesson(&lesson);
    return st;
}

/* --- vectors ------------------------------------------------------------------------- */

/* Vectors of all targets, in all ways; the contrast has no part in them. */
struct aims {
    struct steering_job    *job;
    struct steering_target *target;
    int64_t count;
    float  *contrast;           /* [width]; NULL: no texts are contrasted */
};

static void free_aims(struct aims *aims)
{
    for (int64_t i = 0; i < aims->count; i++) {
        free(aims->target[i].measured.vector);
        free(aims->target[i].measured.effects);
    }
    free(aims->target);
    free(aims->contrast);
}

/* The mean row of some texts. */
static enum status mean_row(const struct steering_job *job, const struct prompts *texts,
                            double *mean)
{
    struct steered_runs_setup setup = job->runs.setup;
    struct steered_runs runs;
    double norm;

    setup.texts = texts;
    steered_runs_make(&runs, &setup);
    const enum status st = steered_runs_rows(&runs, mean, &norm);
    steered_runs_free(&runs);
    return st;
}

static enum status find_contrast(struct aims *aims)
{
    const struct steering_texts *texts = &aims->job->texts;
    const int32_t width = aims->job->from->sae.outputs;
    double *mean = allocate(width, sizeof *mean), *other = allocate(width, sizeof *other);
    enum status st;

    TRY(mean_row(aims->job, &texts->positive, mean));
    TRY(mean_row(aims->job, &texts->negative, other));
    for (int32_t k = 0; k < width; k++)
        mean[k] -= other[k];
    aims->contrast = allocate(width, sizeof *aims->contrast);
    REQUIRE(steering_ways_normalise(aims->contrast, mean, width), E_USAGE, "positive and negative "
            "texts have the same mean row, so there is nothing to contrast");
done:
    free(mean);
    free(other);
    return st;
}

static enum status find_vector(struct aims *aims, const struct steering_ways *ways,
                               int32_t latent, enum steering_way way)
{
    const int32_t width = aims->job->from->sae.outputs;
    struct steering_target *target = &aims->target[aims->count++];
    struct steered_vector *v = &target->measured;
    enum status st = OK;

    *target = (struct steering_target){ .latent = latent, .way = way };
    v->vector = allocate(width, sizeof *v->vector);
    v->effects = allocate(aims->job->read->sae.latents, sizeof *v->effects);
    if (way == STEERING_CONTRAST)
        memcpy(v->vector, aims->contrast, (size_t)width * sizeof *v->vector);
    else
        REQUIRE(steering_ways_find(ways, v->vector, way, latent), E_USAGE, "there is no "
                "%s vector of latent %d: no vector that was measured changes it; take it out of "
                "'targets'", steering_ways_name(way), (int)latent);
done:
    return st;
}

/* Local. */
static enum status find_vectors(struct aims *aims, const struct steering_ways *ways)
{
    const struct suite_intervene *wish = &aims->job->intervention->suite->intervene;
    const bool contrast = aims->job->texts.positive.count > 0;
    enum status st = OK;

    aims->target = allocate((int64_t)wish->targets_count * STEERING_WAYS, sizeof *aims->target);
    if (contrast)
        TRY(find_contrast(aims));
    for (unsigned t = 0; t < wish->targets_count; t++)
        for (int way = 0; way < STEERING_WAYS; way++)
            if (way != STEERING_CONTRAST || contrast)
                TRY(find_vector(aims, ways, (int32_t)wish->targets[t], (enum steering_way)way));
done:
    return st;
}

/* Collective. */
static enum status measure(struct aims *aims)
{
    struct steered_vector *vectors = allocate(aims->count, sizeof *vectors);
    enum status st;

    for (int64_t i = 0; i < aims->count; i++)
        vectors[i] = aims->target[i].measured;
    TRY(steering_measure_run(&aims->job->measure, vectors, aims->count));
    for (int64_t i = 0; i < aims->count; i++)
        aims->target[i].measured = vectors[i];
done:
    free(vectors);
    return st;
}

/* --- all ----------------------------------------------------------------------------- */

/* For rank 0. */
static enum status write_results(const struct aims *aims, struct steering_quality quality)
{
    const struct suite *suite = aims->job->intervention->suite;
    double *scales = allocate(suite->intervene.vectors, sizeof *scales);
    const struct steering_results results = { aims->target, aims->count, quality, scales };
    enum status st = OK;

    for (int64_t p = 0; p < steering_files_portions(suite); p++)
        TRY(steering_files_read_scales(aims->job, p,
                                       scales + steering_files_portion(suite, p).first));
    TRY(steering_files_write_targets(aims->job, &results));
done:
    free(scales);
    return st;
}

enum status steering_targets_run(struct steering_job *job)
{
    const MPI_Comm comm = job->intervention->run->comm;
    const struct sae *read = &job->read->sae;
    struct approximator map;
    struct steering_ways ways = {0};
    struct aims aims = { .job = job };
    struct steering_quality quality;
    enum status st;

    approximator_make(&map, read->inputs, read->latents);
    TRY(learn(job, &map, &quality));
    steering_ways_make(&ways, &map, read->decoder, job->intervention->suite->intervene.common);
    TRY_ALL(comm, find_vectors(&aims, &ways));
    TRY(measure(&aims));
    TRY(steering_completions_write(job, aims.target, aims.count));
    TRY_ROOT(comm, write_results(&aims, quality));
done:
    free_aims(&aims);
    steering_ways_free(&ways);
    approximator_free(&map);
    return st;
}

/* Vectors with their effects on a block of latents; the map, and what is computed from it; the
 * targets; runs over contrasted texts. */
int64_t steering_targets_bytes(const struct suite *suite, const struct lm_config *config,
                               int32_t latents, int threads)
{
    const struct suite_intervene *i = &suite->intervene;
    const int64_t columns = min_int64(APPROXIMATOR_LATENTS, latents);
    const int64_t numbers = i->vectors * (config->width + columns) + i->held_out * columns
                          + i->portion * latents
                          + (int64_t)i->targets_count * STEERING_WAYS * (config->width + latents);

    return numbers * (int64_t)sizeof(float) + i->vectors * (int64_t)sizeof(double)
         + approximator_bytes(config->width, latents)
         + approximator_fit_bytes(config->width, i->batch)
         + steering_ways_bytes(config->width, latents) + steering_completions_bytes(suite)
         + steered_runs_bytes(config, latents, i->block, i->context, threads);
}

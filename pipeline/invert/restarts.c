#include "invert/restarts.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "base/redistribute.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

/* The searches of this rank. */
struct share {
    const struct inversion       *inversion;
    const struct descent_options *options;
    struct range range;
    int64_t      rounds, point;         /* of a search; numbers of a point */
    struct inversion_terms *terms;
    double      *points, *losses;
    double      *averages;              /* [searches, 2, point] */
    double      *work;                  /* [threads, descent_work_count()] */
};

int64_t restarts_step(const struct restarts *restarts, const struct descent_options *options,
                      int64_t round)
{
    return restarts->rounds > 0 ? options->steps * round / restarts->rounds : 0;
}

/* --- memory ------------------------------------------------------------------------------ */

/* What is known of a search in the end. */
static int64_t search_bytes(int64_t point, int64_t rounds)
{
    return (int64_t)sizeof(struct inversion_terms) + (point + rounds + 1) * (int64_t)sizeof(double);
}

int64_t restarts_bytes(const struct inversion_setup *setup, int32_t count, int ranks, int threads)
{
    const int64_t own = range_length(split_range(count, 0, ranks)), point = inversion_point(setup);

    return (count + own) * search_bytes(point, RESTARTS_ROUNDS)
         + (own * 2 * point + threads * descent_work_count(setup)) * (int64_t)sizeof(double);
}

static void make_share(struct share *share)
{
    const int64_t own = range_length(share->range);

    share->terms = allocate(own, sizeof *share->terms);
    share->points = allocate(own * share->point, sizeof(double));
    share->losses = allocate(own * (share->rounds + 1), sizeof(double));
    share->averages = allocate(own * 2 * share->point, sizeof(double));
    share->work = allocate(omp_get_max_threads(),
                           descent_work_count(&share->inversion->setup) * (int64_t)sizeof(double));
}

static void free_share(struct share *share)
{
    free(share->terms);
    free(share->points);
    free(share->losses);
    free(share->averages);
    free(share->work);
}

/* --- searches ---------------------------------------------------------------------------- */

static double *work_of_thread(const struct share *share)
{
    return share->work + omp_get_thread_num() * descent_work_count(&share->inversion->setup);
}

static void find_starts(struct share *share)
{
    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < range_length(share->range); i++)
        descent_start(share->inversion, share->points + i * share->point, share->options,
                      share->range.first + i, work_of_thread(share));
}

static void run_round(struct share *share, int64_t round, struct range steps)
{
    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < range_length(share->range); i++)
        share->losses[i * (share->rounds + 1) + round]
            = descent_steps(share->inversion, share->points + i * share->point,
                            share->averages + 2 * i * share->point, share->options, steps,
                            work_of_thread(share));
}

static void find_ends(struct share *share)
{
    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < range_length(share->range); i++) {
        share->terms[i] = inversion_loss(share->inversion, NULL, share->points + i * share->point,
                                         work_of_thread(share));
        share->losses[i * (share->rounds + 1) + share->rounds] = share->terms[i].loss;
    }
}

/* All ranks have the same rounds, so they stop together. */
static enum status run_share(struct share *share, const struct restarts *restarts, struct run *run)
{
    const struct descent_options *options = share->options;
    const double since = MPI_Wtime();
    const int64_t all = options->steps * restarts->count;

    find_starts(share);
    for (int64_t r = 0; r < share->rounds; r++) {
        const struct range steps = { restarts_step(restarts, options, r),
                                     restarts_step(restarts, options, r + 1) };
        if (run_stopping(run))
            return run_stopped();
        run_round(share, r, steps);
        run_progress(run, "searches", since, 0, steps.end * restarts->count, all, "steps");
    }
    find_ends(share);
    return OK;
}

/* --- results ----------------------------------------------------------------------------- */

static enum status find_best(struct restarts *restarts)
{
    double least = INFINITY;
    bool falls = restarts->rounds == 0;
    enum status st;

    for (int32_t i = 0; i < restarts->count; i++) {
        const double loss = restarts->terms[i].loss;
        falls = falls || loss < restarts->losses[i * (restarts->rounds + 1)];
        if (loss < least) {
            least = loss;
            restarts->best = i;
        }
    }
    REQUIRE(least < INFINITY, E_NUMERIC,
            "none of %d searches ends at a finite loss: lower the rate, or the weights",
            (int)restarts->count);
    REQUIRE(falls, E_NUMERIC, "none of %d searches ends below its start: lower the rate, or take "
            "more steps", (int)restarts->count);
done:
    return st;
}

static void gather(struct restarts *restarts, const struct share *share, MPI_Comm comm)
{
    const struct range all = { 0, restarts->count };

    redistribute(restarts->terms, all, share->terms, share->range, sizeof *share->terms, comm);
    redistribute(restarts->points, all, share->points, share->range,
                 share->point * (int64_t)sizeof(double), comm);
    redistribute(restarts->losses, all, share->losses, share->range,
                 (share->rounds + 1) * (int64_t)sizeof(double), comm);
}

/* The ranks have the same options, so all of them leave, or none. */
enum status restarts_run(struct restarts *restarts, const struct inversion *inversion,
                         const struct descent_options *options, int32_t count, struct run *run)
{
    struct share share = { .inversion = inversion, .options = options,
                           .rounds = min_int64(RESTARTS_ROUNDS, options->steps),
                           .point = inversion_point(&inversion->setup) };
    enum status st;

    *restarts = (struct restarts){0};
    REQUIRE(count > 0 && count <= DESCENT_NUMBERS, E_USAGE,
            "there are %d searches: there must be 1 to %d", (int)count, DESCENT_NUMBERS);
    TRY(descent_check(options));
    share.range = split_range(count, run->rank, run->size);
    make_share(&share);
    *restarts = (struct restarts){
        .count = count,
        .rounds = share.rounds,
        .terms = allocate(count, sizeof *restarts->terms),
        .points = allocate(count * share.point, sizeof(double)),
        .losses = allocate(count * (share.rounds + 1), sizeof(double)),
    };
    TRY(run_share(&share, restarts, run));
    gather(restarts, &share, run->comm);
    TRY(find_best(restarts));
done:
    if (st != OK)
        restarts_free(restarts);
    free_share(&share);
    return st;
}

void restarts_free(struct restarts *restarts)
{
    free(restarts->terms);
    free(restarts->points);
    free(restarts->losses);
    *restarts = (struct restarts){0};
}

#include "invert/restarts.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/redistribute.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

/* The searches of this rank. */
struct share {
    struct range            range;
    struct inversion_terms *terms;
    double                 *points;
};

static int64_t search_bytes(const struct inversion_setup *setup)
{
    return (int64_t)sizeof(struct inversion_terms)
         + inversion_point(setup) * (int64_t)sizeof(double);
}

int64_t restarts_bytes(const struct inversion_setup *setup, int32_t count, int ranks, int threads)
{
    return (count + range_length(split_range(count, 0, ranks))) * search_bytes(setup)
         + threads * descent_work_count(setup) * (int64_t)sizeof(double);
}

static void run_share(struct share *share, const struct inversion *inversion,
                      const struct descent_options *options)
{
    const int64_t each = descent_work_count(&inversion->setup);
    const int64_t point = inversion_point(&inversion->setup);
    double *work = allocate(omp_get_max_threads(), each * (int64_t)sizeof *work);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = share->range.first; i < share->range.end; i++) {
        const int64_t at = i - share->range.first;
        share->terms[at] = descent_run(inversion, share->points + at * point, options, i,
                                       work + omp_get_thread_num() * each);
    }
    free(work);
}

static enum status find_best(struct restarts *restarts)
{
    double least = INFINITY;
    enum status st;

    for (int32_t i = 0; i < restarts->count; i++)
        if (restarts->terms[i].loss < least) {
            least = restarts->terms[i].loss;
            restarts->best = i;
        }
    REQUIRE(least < INFINITY, E_NUMERIC,
            "none of %d searches ends at a finite loss: lower the rate, or the weights",
            (int)restarts->count);
done:
    return st;
}

static void gather(struct restarts *restarts, const struct share *share, int64_t point,
                   MPI_Comm comm)
{
    const struct range all = { 0, restarts->count };

    redistribute(restarts->terms, all, share->terms, share->range, sizeof *share->terms, comm);
    redistribute(restarts->points, all, share->points, share->range,
                 point * (int64_t)sizeof(double), comm);
}

/* The ranks have the same options, so all of them leave, or none. */
enum status restarts_run(struct restarts *restarts, const struct inversion *inversion,
                         const struct descent_options *options, int32_t count, MPI_Comm comm)
{
    const int64_t point = inversion_point(&inversion->setup);
    struct share share = {0};
    enum status st;
    int rank, size;

    *restarts = (struct restarts){0};
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    REQUIRE(count > 0 && count <= DESCENT_NUMBERS, E_USAGE,
            "there are %d searches: there must be 1 to %d", (int)count, DESCENT_NUMBERS);
    TRY(descent_check(options));
    share.range = split_range(count, rank, size);
    share.terms = allocate(range_length(share.range), sizeof *share.terms);
    share.points = allocate(range_length(share.range) * point, sizeof *share.points);
    *restarts = (struct restarts){
        .count = count,
        .terms = allocate(count, sizeof *restarts->terms),
        .points = allocate(count * point, sizeof *restarts->points),
    };
    run_share(&share, inversion, options);
    gather(restarts, &share, point, comm);
    TRY(find_best(restarts));
done:
    if (st != OK)
        restarts_free(restarts);
    free(share.terms);
    free(share.points);
    return st;
}

void restarts_free(struct restarts *restarts)
{
    free(restarts->terms);
    free(restarts->points);
    *restarts = (struct restarts){0};
}

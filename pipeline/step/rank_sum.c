#include "step/rank_sum.h"
#include "base/ordered_sum.h"

struct addends {
    const float  *values;       /* [count, width] */
    double       *sum;          /* [width] */
    int64_t       count, width;
};

static void add_all(void *context, int64_t piece)
{
    const struct addends *a = context;

    (void)piece;
    for (int64_t i = 0; i < a->count; i++)
        for (int64_t j = 0; j < a->width; j++)
            a->sum[j] += (double)a->values[i * a->width + j];
}

void rank_sum(MPI_Comm comm, double *sum, const float *values, int64_t count, int64_t width)
{
    const int64_t cuts[] = { 0, width };
    const struct ordered_sum chain = { comm, MPI_DOUBLE, 1, cuts, false };
    struct addends addends = { values, sum, count, width };

    ordered_sum_run(&chain, sum, add_all, &addends);
}

/* block_sum_run(): every block once, and the bits of adding the blocks one after the other. */
#include "base/block_sum.h"
#include "tests/ranked/ranked.h"

enum { COUNT = 3 };

struct work {
    int64_t computed;       /* blocks, by this rank */
    int64_t refuse_at;
};

/* Numbers of very different size, so that every order of addition has bits of its own. */
static double addend(int64_t block, int i)
{
    return 1.0 / (double)(1 + (block * 7 + i) % 11) * (block % 3 == 0 ? 1e12 : 1e-3);
}

static enum status compute(void *context, int64_t block, double *sums)
{
    struct work *work = context;

    work->computed++;
    if (block == work->refuse_at)
        return refuse(E_FORMAT, "block %d is bad", (int)block);
    for (int i = 0; i < COUNT; i++)
        sums[i] += addend(block, i);
    return OK;
}

static void adds_in_the_order_of_the_blocks(struct run *run)
{
    for (int64_t blocks = 0; blocks <= 10; blocks++) {
        struct work work = { .refuse_at = -1 };
        const struct block_sum deal = { run, blocks, COUNT, &work, compute };
        double total[COUNT] = { 5, 5, 5 }, expected[COUNT] = {0};
        int64_t all;

        for (int64_t block = 0; block < blocks; block++)
            for (int i = 0; i < COUNT; i++)
                expected[i] += addend(block, i);
        CHECK(block_sum_run(&deal, total) == OK);
        CHECK(memcmp(total, expected, sizeof total) == 0);
        MPI_Allreduce(&work.computed, &all, 1, MPI_INT64_T, MPI_SUM, run->comm);
        CHECK(all == blocks);
    }
}

static void all_ranks_leave_when_one_block_is_refused(struct run *run)
{
    struct work work = { .refuse_at = 4 };
    const struct block_sum deal = { run, 9, COUNT, &work, compute };
    double total[COUNT];

    CHECK(block_sum_run(&deal, total) == E_FORMAT);
    CHECK(strcmp(refuse_reason(), "block 4 is bad") == 0);
    refuse_clear();
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    struct run run = { .stage = "test", .comm = MPI_COMM_WORLD, .rank = here.rank,
                       .size = here.size };

    adds_in_the_order_of_the_blocks(&run);
    all_ranks_leave_when_one_block_is_refused(&run);
    return ranked_finish(&here);
}

/* redistribute(): every row arrives where it is wanted, whoever had it. */
#include "base/redistribute.h"
#include "tests/ranked/ranked.h"

enum { ROWS = 1000, WORDS = 3 };

/* Cut [0, ROWS) over the ranks at places that depend on `kind`; some ranks have none. */
static struct range cut(int kind, int rank, int size)
{
    if (kind == 0)
        return split_range(ROWS, rank, size);
    if (kind == 1)      /* all at the last rank */
        return (struct range){ rank == size - 1 ? 0 : 0, rank == size - 1 ? ROWS : 0 };
    if (kind == 2)      /* in blocks of 96 */
        return (struct range){ split_range(11, rank, size).first * 96,
                               rank == size - 1 ? ROWS : split_range(11, rank, size).end * 96 };
    return (struct range){ rank == 0 ? 0 : ROWS, ROWS };    /* all at rank 0 */
}

static void moves_rows(struct ranked here, int from_kind, int to_kind)
{
    const struct range had = cut(from_kind, here.rank, here.size);
    const struct range wanted = cut(to_kind, here.rank, here.size);
    static int32_t from[ROWS][WORDS], to[ROWS][WORDS];

    memset(to, -1, sizeof to);
    for (int64_t row = had.first; row < had.end; row++)
        for (int w = 0; w < WORDS; w++)
            from[row - had.first][w] = (int32_t)(row * WORDS + w);
    redistribute(to, wanted, from, had, sizeof *to, MPI_COMM_WORLD);
    for (int64_t row = wanted.first; row < wanted.end; row++)
        for (int w = 0; w < WORDS; w++)
            CHECK(to[row - wanted.first][w] == row * WORDS + w);
    for (int64_t row = wanted.end - wanted.first; row < ROWS; row++)
        CHECK(to[row][0] == -1);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);

    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++)
            moves_rows(here, from, to);
    return ranked_finish(&here);
}

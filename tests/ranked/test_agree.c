/* agree(): whichever rank fails, all leave with its status and its words, and none hangs.
 * comm_read_file(): every rank gets the bytes, or every rank the refusal. */
#include "base/agree.h"
#include "tests/ranked/ranked.h"

static void all_content_is_ok(void)
{
    refuse_clear();
    CHECK(agree(MPI_COMM_WORLD, OK) == OK);
    CHECK(refuse_reason()[0] == '\0');
}

/* A collective function as the stages write them: all ranks leave at the same place. */
static enum status phase(int rank, int guilty, bool *went_on)
{
    enum status st;

    TRY_ALL(MPI_COMM_WORLD, rank != guilty ? OK
            : refuse(E_FORMAT, "rank %d found a torn page", guilty));
    *went_on = true;
    MPI_Barrier(MPI_COMM_WORLD);
done:
    return st;
}

static void one_refusal_is_everyones(int rank, int size)
{
    for (int guilty = 0; guilty < size; guilty++) {
        char words[64];
        bool went_on = false;
        refuse_clear();
        snprintf(words, sizeof words, "rank %d found a torn page", guilty);
        CHECK(phase(rank, guilty, &went_on) == E_FORMAT);
        CHECK(!went_on);
        CHECK(strcmp(refuse_reason(), words) == 0);
    }
}

/* The last rank lacks room, those before it fail to read; with three, rank 0 is well. */
static void of_several_refusals_the_lowest_ranks_counts(int rank, int size)
{
    static const enum status EXPECTED[] = { E_SPACE, E_IO, E_IO };
    static const char *const WORDS[] = { "rank 0 fails", "rank 0 fails", "rank 1 fails" };
    const enum status mine = rank == size - 1 ? E_SPACE : rank == 0 && size > 2 ? OK : E_IO;

    refuse_clear();
    if (mine != OK)
        refuse(mine, "rank %d fails", rank);
    CHECK(agree(MPI_COMM_WORLD, mine) == EXPECTED[size - 1]);
    CHECK(strcmp(refuse_reason(), WORDS[size - 1]) == 0);
}

static void a_file_reaches_every_rank(void)
{
    char *bytes;
    int64_t count;

    refuse_clear();
    CHECK(comm_read_file(MPI_COMM_WORLD, "tests/golden/gemma2-random/config.json", &bytes,
                         &count) == OK);
    CHECK(bytes != NULL && (int64_t)strlen(bytes) == count);
    CHECK(bytes != NULL && strstr(bytes, "sliding_window") != NULL);
    free(bytes);
}

static void an_absent_file_is_refused_on_every_rank(void)
{
    char *bytes;
    int64_t count;

    refuse_clear();
    CHECK(comm_read_file(MPI_COMM_WORLD, "tests/golden/absent", &bytes, &count) == E_IO);
    CHECK(bytes == NULL);
    CHECK(strstr(refuse_reason(), "tests/golden/absent") != NULL);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);

    all_content_is_ok();
    one_refusal_is_everyones(here.rank, here.size);
    of_several_refusals_the_lowest_ranks_counts(here.rank, here.size);
    a_file_reaches_every_rank();
    an_absent_file_is_refused_on_every_rank();
    return ranked_finish(&here);
}

/* Sequences and token shards: documents cut, gathered, written, read back. */
#include "base/split.h"
#include "corpus/sequences.h"
#include "tests/ranked/ranked.h"

enum { CONTEXT = 5, BOS = 2, EOS = 1, PAD = 0 };

static const struct identity IDENTITIES[] = { { "tokens/00000.h5", 1, "s", "harvest" },
                                              { "tokens/00000.h5", 1, "s", "harvest" } };
static const struct special_tokens SPECIAL = { BOS, EOS, PAD };

/* By hand: two sequences, the second padded; a document that fills one; an empty one. */
static void cuts_documents(void)
{
    const int32_t seven[] = { 11, 12, 13, 14, 15, 16, 17 };
    const int32_t want[] = { BOS, 11, 12, 13, 14,  BOS, 15, 16, 17, PAD,  BOS, 11, 12, 13, 14 };
    struct sequences made = { .context = CONTEXT, .special = SPECIAL };

    sequences_cut(&made, 8, seven, 7);
    sequences_cut(&made, 9, seven, 0);
    sequences_cut(&made, 10, seven, 4);
    CHECK(made.count == 3);
    CHECK(memcmp(made.ids, want, sizeof want) == 0);
    CHECK(made.origins[0].document == 8 && made.origins[0].start == 0);
    CHECK(made.origins[1].document == 8 && made.origins[1].start == 4);
    CHECK(made.origins[2].document == 10 && made.origins[2].start == 0);
    sequences_free(&made);
}

/* Document `d` of 0 ... 60: d % 13 ids that tell the document and the place. */
static void cut_document(struct sequences *to, int64_t d)
{
    int32_t ids[13];

    for (int i = 0; i < d % 13; i++)
        ids[i] = (int32_t)(100 * d + i + 3);
    sequences_cut(to, d, ids, d % 13);
}

/* Documents are spread over the ranks in runs; rank 0 must get them as if it had cut all. */
static void gathers_in_document_order(struct ranked here, const char *path)
{
    struct sequences alone = { .context = CONTEXT, .special = SPECIAL };
    struct sequences together = alone;
    struct tokens_writer writer = {0};
    const struct range mine = split_range(60, here.rank, here.size);
    enum status st = OK;

    for (int64_t d = 0; d < 60; d++)
        cut_document(&alone, d);
    for (int64_t d = mine.first; d < mine.end; d++)
        cut_document(&together, d);
    sequences_gather(&together, MPI_COMM_WORLD);
    CHECK(together.count == (here.rank == 0 ? alone.count : 0));
    if (here.rank == 0) {
        const size_t bytes = (size_t)(alone.count * CONTEXT) * sizeof *alone.ids;
        CHECK(memcmp(alone.ids, together.ids, bytes) == 0);
        TRY(tokens_create(&writer, path, CONTEXT, SPECIAL, false, "by hand", &IDENTITIES[0]));
        TRY(tokens_append(&writer, TOKENS_HOLDOUT, 1, together.ids, together.origins));
        TRY(tokens_append(&writer, TOKENS_TRAIN, 40, together.ids, together.origins));
        TRY(tokens_append(&writer, TOKENS_TRAIN, together.count - 40, together.ids + 40 * CONTEXT,
                          together.origins + 40));
        TRY(tokens_publish(&writer, OK));
    }
done:
    CHECK(st == OK);
    sequences_free(&together);
    sequences_free(&alone);
}

static void reads_chosen_sequences(const char *path)
{
    struct sequences want = { .context = CONTEXT, .special = SPECIAL };
    char paths[2][PATH_LENGTH];
    struct sequence_origin origins[3];
    struct tokens tokens = {0};
    int32_t ids[3 * CONTEXT];

    for (int64_t d = 0; d < 60; d++)
        cut_document(&want, d);
    path_print(paths[0], "%s", path);
    path_print(paths[1], "%s", path);
    CHECK(tokens_open(&tokens, paths, IDENTITIES, 2, CONTEXT) == OK);
    CHECK(tokens.context == CONTEXT && tokens.special.pad == PAD && tokens.special.bos == BOS);
    CHECK(tokens.sequences[TOKENS_TRAIN] == 2 * want.count);
    CHECK(tokens.sequences[TOKENS_HOLDOUT] == 2);
    const int64_t chosen[] = { want.count + 7, 3, want.count - 1 };
    CHECK(tokens_read(&tokens, TOKENS_TRAIN, chosen, 3, ids, origins) == OK);
    for (int i = 0; i < 3; i++) {
        const int64_t at = chosen[i] % want.count;
        CHECK(memcmp(ids + i * CONTEXT, want.ids + at * CONTEXT, CONTEXT * sizeof *ids) == 0);
        CHECK(memcmp(&origins[i], &want.origins[at], sizeof *origins) == 0);
    }
    tokens_close(&tokens);
    sequences_free(&want);
}

/* Readers have buffers for the context of the suite. */
static void refuses_another_context(const char *path)
{
    char paths[1][PATH_LENGTH];

    path_print(paths[0], "%s", path);
    for (int other = -1; other <= 1; other += 2) {
        struct tokens tokens = {0};

        CHECK(tokens_open(&tokens, paths, IDENTITIES, 1, CONTEXT + other) == E_FORMAT);
        CHECK(strstr(refuse_reason(), "corpus.context") != NULL
              && strstr(refuse_reason(), path) != NULL);
        refuse_clear();
        tokens_close(&tokens);
    }
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    char path[PATH_LENGTH];

    path_print(path, "%s/tokens/00000.h5", here.folder);
    cuts_documents();
    gathers_in_document_order(here, path);
    MPI_Barrier(MPI_COMM_WORLD);
    reads_chosen_sequences(path);
    refuses_another_context(path);
    return ranked_finish(&here);
}

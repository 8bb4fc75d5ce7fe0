#include "corpus/tokenize_stage.h"
#include "base/minmax.h"
#include "corpus/documents.h"
#include "corpus/unzstd.h"
#include "suite/paths.h"

/* On disk, of a token's id.  The demo's vocabulary of 4,096 ids takes 1.26; of 256,000 about twice
 * as many bits are needed, and frequent ids compress. */
static const double ID_BYTES = 1.5;

/* In memory.  Measured: with SentencePiece 174 bytes for each byte of a part, of at most a MiB, of
 * a document (sentencepiece.cc); 5 for each byte of a text that is read as a whole, of dense text,
 * for itself, its ids and its sequences. */
enum { PART_BYTES = 1 << 20, OF_A_PART = 174, OF_A_TEXT = 6 };

/* Bytes of text that a file has at least, but no more than `most`. */
static int64_t text_within(const char *path, int64_t most)
{
    int64_t bytes = 0;

    if (corpus_is_compressed(path))
        return most;
    if (file_size(path, &bytes) != OK)
        refuse_clear();     /* the stage will say it */
    return min_int64(bytes, most);
}

/* Two copies of a round's ids, of 4 bytes.  A token has about 4 bytes of text. */
static int64_t round_memory(const char *path, int64_t context)
{
    return corpus_is_ids(path) ? 2 * TOKENIZE_ROUND * context * (int64_t)sizeof(int32_t)
                               : 2 * text_within(path, TOKENIZE_ROUND_BYTES);
}

/* What reading and tokenizing a file takes. */
static int64_t file_memory(const char *path)
{
    if (corpus_is_ids(path))
        return 0;
    return OF_A_PART * text_within(path, PART_BYTES)
           + (path_ends(path, ".zst") ? unzstd_bytes(path) : 0)
           + (corpus_is_text(path) ? OF_A_TEXT * text_within(path, DOCUMENTS_WHOLE) : 0);
}

struct stage_memory tokenize_stage_memory(const struct suite *suite, const struct corpus *corpus,
                                          int ranks)
{
    int64_t file = 0, round = 0;

    for (int i = 0; i < corpus->files; i++) {
        file = max_int64(file, file_memory(corpus->paths[i]));
        round = max_int64(round, round_memory(corpus->paths[i], suite->corpus.context));
    }
    return (struct stage_memory){ .rank = file + round, .node = (ranks - 1) * round };
}

/* Of a corpus that is not here nothing is known. */
static struct stage_memory bytes_of(const struct stage_host *host)
{
    const struct suite_corpus *suite = &host->suite->corpus;
    struct stage_memory need = {0};
    struct corpus corpus = {0};

    if (corpus_list(&corpus, suite->files, suite->files_count) == OK)
        need = tokenize_stage_memory(host->suite, &corpus, host->ranks);
    else
        refuse_clear();
    corpus_free(&corpus);
    return need;
}

double tokenize_stage_bytes(const struct stage_amounts *amounts)
{
    return ID_BYTES * amounts->all;
}

/* English has 4 to 5 bytes a token; ready ids take 4. */
int64_t tokenize_stage_least_bytes(int64_t bytes)
{
    return (int64_t)(ID_BYTES / 5 * (double)bytes);
}

static double given_rate(const struct suite *suite)
{
    return suite->rates.tokenize;
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const double ids = tokenize_stage_bytes(amounts);

    (void)host;
    return (struct stage_cost){
        .tasks = amounts->files, .work = amounts->text, .longest = 1 / (double)amounts->files,
        .read = amounts->text, .written = ids, .left = ids, .files = (double)amounts->files,
    };
}

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    struct corpus corpus = {0};
    enum status st;

    (void)tasks, (void)ready;
    TRY(corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    *count = corpus.files;
done:
    corpus_free(&corpus);
    return st;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    (void)tasks;
    paths_tokens(path, suite, task);
    return i == 0;
}

const struct stage_traits TOKENIZE_STAGE = {
    .about = "the text as sequences of token ids",
    .rate = 0.7e6, .rate_unit = 1e6, .rate_name = "MB/s",
    .less_memory = ", or shorter .txt files, or a smaller window of zstd", .less_time = "",
    .given = given_rate, .bytes = bytes_of, .cost = cost, .count = count_tasks, .path = path_made,
};

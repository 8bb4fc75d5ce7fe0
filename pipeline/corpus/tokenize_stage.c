#include "corpus/tokenize_stage.h"
#include "corpus/corpus.h"
#include "suite/paths.h"

/* On disk, of a token's id.  The demo's vocabulary of 4,096 ids takes 1.26; of 256,000 about twice
 * as many bits are needed, and frequent ids compress. */
static const double ID_BYTES = 1.5;

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
    .rate = 0.7e6, .rate_unit = 1e6, .rate_name = "MB/s", .less_memory = "", .less_time = "",
    .given = given_rate, .cost = cost, .count = count_tasks, .path = path_made,
};

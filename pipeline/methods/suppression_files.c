#include "base/allocate.h"
#include "methods/suppression.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <stdlib.h>

enum { VERSION = 1 };

/* Kinds of divergences, in the order of a head's sums, and how many there are of each. */
static const char *const KINDS[] = { "kl_ablated", "kl_zero_ablated", "kl_cspa", "kl_qk_only",
                                     "kl_ov_only" };

enum { KINDS_COUNT = sizeof KINDS / sizeof *KINDS };

static int64_t kind_rows(const struct suppression *s, int kind)
{
    return kind == 2 || kind == 3 ? s->shares : 1;
}

static int64_t tokens_of(const struct suppression *s)
{
    return s->circuit->prompts->tokens;
}

static const double *sums_of(const struct suppression *s, int64_t head)
{
    return s->sums + head * (COPY_SUPPRESSION_VARIANTS + s->variants) * tokens_of(s);
}

/* --- HDF5 ------------------------------------------------------------------------------- */

/* One kind of all heads: [heads * rows, tokens]. */
static enum status write_kind(hid_t file, const char *path, const struct suppression *s, int kind,
                              int64_t first)
{
    const int64_t rows = kind_rows(s, kind), tokens = tokens_of(s);
    double *values = allocate(s->heads * rows * tokens, sizeof *values);
    enum status st;

    for (int64_t i = 0; i < s->heads * rows * tokens; i++)
        values[i] = sums_of(s, i / (rows * tokens))[first * tokens + i % (rows * tokens)];
    st = h5_write_array(file, path, KINDS[kind], H5T_NATIVE_DOUBLE, values, s->heads * rows,
                        tokens);
    free(values);
    return st;
}

static enum status write_sets(hid_t file, const char *path, const struct suppression *s)
{
    static const char *const RANKS[] = { "ov_rank", "qk_rank" };
    int64_t first = 0;
    enum status st;

    TRY(h5_write_array(file, path, "head", H5T_NATIVE_INT64, s->head, s->heads, 0));
    for (int kind = 0; kind < 2; kind++)
        if (s->rank[kind] != NULL)
            TRY(h5_write_array(file, path, RANKS[kind], H5T_NATIVE_INT32, s->rank[kind], s->heads,
                               s->circuit->config->vocabulary));
    TRY(h5_write_array(file, path, "texts_at", H5T_NATIVE_INT64, s->texts_at, tokens_of(s), 0));
    for (int kind = 0; kind < KINDS_COUNT; first += kind_rows(s, kind++))
        TRY(write_kind(file, path, s, kind, first));
done:
    return st;
}

static enum status write_table(const struct suppression *s, const char *name)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, s->circuit->suite, name, ".h5");
    TRY(task_files_create(&file, part, path, s->circuit, "saemill copy suppression", VERSION));
    TRY(write_sets(file, part, s));
done:
    return task_files_publish(&file, part, path, st);
}

double suppression_disk(const struct lm_config *config, struct circuit_shape shape)
{
    const double heads = (double)config->layers * config->heads;

    return heads * (2 * (double)config->vocabulary * sizeof(int32_t)
                    + (COPY_SUPPRESSION_VARIANTS + 3) * (double)shape.tokens * sizeof(double));
}

/* --- JSON ------------------------------------------------------------------------------- */

/* The share of tokens whose rank is below `bound`. */
static double share_below(const int32_t *rank, int64_t tokens, int64_t bound)
{
    int64_t below = 0;

    for (int64_t t = 0; t < tokens; t++)
        below += rank[t] < bound;
    return (double)below / (double)tokens;
}

/* The mean over all positions of all texts. */
static double mean_divergence(const struct suppression *s, const double *sums)
{
    double sum = 0;
    int64_t count = 0;

    for (int64_t t = 0; t < tokens_of(s); t++) {
        sum += sums[t];
        count += s->texts_at[t];
    }
    return sum / (double)count;
}

static json_t *shares_json(const struct suppression *s, int64_t head)
{
    const double *sums = sums_of(s, head);
    json_t *list = json_array();

    for (int i = 0; i < s->shares; i++) {
        json_t *object = json_object();
        task_files_put(object, "share", s->variant[i].share);
        task_files_put(object, "cspa", copy_suppression_score(sums, i, tokens_of(s)));
        task_files_put(object, "qk_only",
                       copy_suppression_score(sums, (int)s->shares + i, tokens_of(s)));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *head_json(const struct suppression *s, int64_t head)
{
    const int64_t vocabulary = s->circuit->config->vocabulary, tokens = tokens_of(s);
    const double *sums = sums_of(s, head);
    json_t *object = json_object();

    json_object_set_new(object, "head", task_files_head(s->circuit->config, s->head[head]));
    task_files_put(object, "ov_lowest", share_below(s->rank[COPY_RANKS_OV] + head * vocabulary,
                                                    vocabulary, s->circuit->suite->circuit.lowest));
    if (s->rank[COPY_RANKS_QK] != NULL)
        task_files_put(object, "qk_largest", share_below(s->rank[COPY_RANKS_QK]
                                                         + head * vocabulary, vocabulary, 1));
    json_object_set_new(object, "scores", shares_json(s, head));
    task_files_put(object, "ov_only", copy_suppression_score(sums, (int)(2 * s->shares), tokens));
    for (int kind = 0; kind < COPY_SUPPRESSION_VARIANTS; kind++)
        task_files_put(object, KINDS[kind], mean_divergence(s, sums + kind * tokens));
    return object;
}

static json_t *summary_json(const struct suppression *s)
{
    json_t *summary = task_files_summary(s->circuit), *list = json_array();

    json_object_set_new(summary, "texts", json_integer(s->circuit->prompts->count));
    json_object_set_new(summary, "tokens", json_integer(tokens_of(s)));
    for (int64_t h = 0; h < s->heads; h++)
        json_array_append_new(list, head_json(s, h));
    json_object_set_new(summary, "heads", list);
    return summary;
}

enum status suppression_write(const struct suppression *s, const char *name)
{
    json_t *summary = NULL;
    enum status st;

    TRY(write_table(s, name));
    summary = summary_json(s);
    TRY(suppression_page_write(s, name, json_object_get(summary, "heads")));
    TRY(task_files_write(s->circuit, name, json_incref(summary)));
done:
    json_decref(summary);
    return st;
}

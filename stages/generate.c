/* generate -- see how a model completes prompts.
 *
 *   mpirun -n RANKS bin/saemill-generate MODEL --prompt TEXT ...
 *
 *   reads   MODEL, the folder of a checkpoint; a file of prompts
 *   writes  completions, on standard output
 *
 * It is a look by hand: it has no suite file, writes no file, and has its own options.  Ranks
 * divide the completions; which rank makes one does not change it (lm/completions.h).
 */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "base/memory.h"
#include "base/run.h"
#include "base/split.h"
#include "corpus/documents.h"
#include "lm/completions.h"
#include "prompts/wording.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "saemill-generate MODEL [--prompt TEXT]... [--prompts FILE] [OPTION]...\n"
    "\n"
    "Complete prompts with the model in the folder MODEL, and print the completions.\n"
    "\n"
    "  --prompt TEXT        a prompt; may be given several times\n"
    "  --prompts FILE       prompts from a file: of .jsonl the member \"text\" of each line\n"
    "  --samples 1          completions of each prompt\n"
    "  --tokens 32          tokens of a completion, at most\n"
    "  --temperature 1      below 1 prefers more probable tokens; 0 takes the most probable one\n"
    "  --top-k 0            take one of the K most probable tokens; 0: of all\n"
    "  --top-p 1            take one of the fewest tokens that have this probability together\n"
    "  --seed 1             another seed gives other completions\n"
    "  --format text        or jsonl: an object a line, with prompt, sample, completion and ids\n"
    "\n"
    "Example: three completions of 20 tokens, each token one of the 40 most probable:\n"
    "\n"
    "  bin/saemill-generate jobs/circuits/tiny-gpt2 --prompt 'The war lasted from 17' \\\n"
    "      --samples 3 --tokens 20 --top-k 40\n"
    "\n"
    "A completion depends on the model, its prompt, its sample number and these options alone.\n";

enum { PROMPTS_MOST = 10000, COMPLETIONS_MOST = 1000000 };

/* As they are given: NULL where they are not. */
struct options {
    const char *prompts, *samples, *tokens, *temperature, *top_k, *top_p, *seed, *format;
    const char *prompt[PROMPTS_MOST];
    int         prompt_count;
    const char *last;           /* an option at the end, without a value */
};

struct work {
    struct run        run;
    struct options    options;
    struct suite      suite;            /* names the model alone */
    char              folder[PATH_LENGTH];
    struct lm_config  config;
    struct weights    weights;
    struct wording    wording;
    struct completions completions;
    struct sampling   sampling;
    int64_t           samples, tokens;
    bool              jsonl;
    struct wording_ids *prompt;         /* [prompts] */
    int64_t           prompts;
    int32_t          *ids, *counts;     /* [completions, tokens], [completions], of all */
};

/* --- options ----------------------------------------------------------------------------- */

/* Where the value of an option goes; NULL if it is none of ours. */
static const char **place_of(struct options *o, const char *option)
{
    const struct {
        const char  *name;
        const char **value;
    } names[] = {
        { "--prompts", &o->prompts }, { "--samples", &o->samples }, { "--tokens", &o->tokens },
        { "--temperature", &o->temperature }, { "--top-k", &o->top_k }, { "--top-p", &o->top_p },
        { "--seed", &o->seed }, { "--format", &o->format },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(option, names[i].name) == 0)
            return names[i].value;
    if (strcmp(option, "--prompt") == 0 && o->prompt_count < PROMPTS_MOST)
        return &o->prompt[o->prompt_count++];
    return NULL;
}

/* Take our options, and leave the rest in argv.  Returns how many are left. */
static int take_options(struct options *o, int argc, char **argv)
{
    int left = 0;

    for (int i = 0; i < argc; i++) {
        const char **value = i > 0 ? place_of(o, argv[i]) : NULL;
        if (value == NULL)
            argv[left++] = argv[i];
        else if (i + 1 < argc)
            *value = argv[++i];
        else
            o->last = argv[i];
    }
    argv[left] = NULL;
    return left;
}

/* A number in [least, most], or what it is if it is not given. */
static enum status read_number(double *number, const char *text, const char *option, double least,
                               double most)
{
    char *end = NULL;
    enum status st = OK;

    if (text == NULL)
        return OK;
    *number = strtod(text, &end);
    REQUIRE(end != text && *end == '\0' && *number >= least && *number <= most, E_USAGE,
            "%s wants a number from %g to %g, and not '%s'", option, least, most, text);
done:
    return st;
}

static enum status read_whole(int64_t *number, const char *text, const char *option, int64_t least,
                              int64_t most)
{
    double value = (double)*number;
    enum status st;

    TRY(read_number(&value, text, option, (double)least, (double)most));
    REQUIRE(value == floor(value), E_USAGE, "%s wants a whole number, and not '%s'", option, text);
    *number = (int64_t)value;
done:
    return st;
}

static enum status read_options(struct work *work)
{
    const struct options *o = &work->options;
    int64_t seed = 1;
    enum status st;

    REQUIRE(o->last == NULL, E_USAGE, "what is the value of %s?  Try --help", o->last);
    work->samples = 1;
    work->tokens = 32;
    work->sampling = (struct sampling){ .temperature = 1, .top_p = 1 };
    TRY(read_whole(&work->samples, o->samples, "--samples", 1, COMPLETIONS_MOST));
    TRY(read_whole(&work->tokens, o->tokens, "--tokens", 1, INT32_MAX));
    TRY(read_number(&work->sampling.temperature, o->temperature, "--temperature", 0, 1e6));
    TRY(read_whole(&work->sampling.top_k, o->top_k, "--top-k", 0, INT32_MAX));
    TRY(read_number(&work->sampling.top_p, o->top_p, "--top-p", 1e-9, 1));
    TRY(read_whole(&seed, o->seed, "--seed", 0, INT64_C(1) << 52));
    work->sampling.seed = (uint64_t)seed;
    work->jsonl = o->format != NULL && strcmp(o->format, "jsonl") == 0;
    REQUIRE(o->format == NULL || work->jsonl || strcmp(o->format, "text") == 0, E_USAGE,
            "--format wants text or jsonl, and not '%s'", o->format);
done:
    return st;
}

/* --- prompts ----------------------------------------------------------------------------- */

static enum status add_prompt(struct work *work, const char *text)
{
    enum status st;

    REQUIRE(work->prompts < PROMPTS_MOST, E_USAGE, "more than %d prompts", PROMPTS_MOST);
    TRY(wording_of_prompt(&work->prompt[work->prompts], &work->wording, text));
    work->prompts++;
done:
    return st;
}

static enum status read_file(struct work *work, const char *path)
{
    struct documents documents = {0};
    const char *text;
    int64_t bytes;
    enum status st;

    TRY(documents_open(&documents, path, 0, false));
    TRY(documents_next(&documents, &text, &bytes));
    while (text != NULL) {
        char *prompt = allocate(bytes + 1, 1);
        memcpy(prompt, text, (size_t)bytes);
        st = add_prompt(work, prompt);
        free(prompt);
        TRY(st);
        TRY(documents_next(&documents, &text, &bytes));
    }
done:
    documents_close(&documents);
    return st;
}

static enum status read_prompts(struct work *work)
{
    const struct options *o = &work->options;
    enum status st;

    TRY(wording_open(&work->wording, &work->suite, &work->config));
    work->prompt = allocate(PROMPTS_MOST, sizeof *work->prompt);
    for (int p = 0; p < o->prompt_count; p++)
        TRY(add_prompt(work, o->prompt[p]));
    if (o->prompts != NULL)
        TRY(read_file(work, o->prompts));
    REQUIRE(work->prompts > 0, E_USAGE, "there is nothing to complete; give --prompt TEXT or "
            "--prompts FILE");
    REQUIRE(work->prompts * work->samples <= COMPLETIONS_MOST, E_USAGE, "%lld completions are more "
            "than %d", (long long)(work->prompts * work->samples), COMPLETIONS_MOST);
done:
    return st;
}

/* --- completions ------------------------------------------------------------------------- */

/* Tokens of the longest prompt with its completion. */
static int64_t capacity(const struct work *work)
{
    int64_t longest = 0;

    for (int64_t p = 0; p < work->prompts; p++)
        if (work->prompt[p].count > longest)
            longest = work->prompt[p].count;
    return longest + work->tokens;
}

/* Completions that a rank has at work. */
static int64_t at_once(const struct work *work)
{
    const int64_t share = range_length(split_range(work->prompts * work->samples, 0,
                                                   work->run.size));

    return share < COMPLETIONS_ROWS ? share : COMPLETIONS_ROWS;
}

/* Collective. */
static enum status check_memory(const struct work *work)
{
    const int64_t all = work->prompts * work->samples;
    const int64_t weights = weights_bytes(&work->config, PRECISION_F32);
    const int64_t each = MEMORY_BASE + all * (work->tokens + 1) * (int64_t)sizeof(int32_t)
                       + completions_bytes(&work->config, capacity(work), at_once(work),
                                           omp_get_max_threads())
                       + weights_reading_bytes(&work->config, omp_get_max_threads());
    enum status st;

    TRY(memory_check(work->run.comm, each + (comm_first_of_node(work->run.comm) ? weights : 0),
                     "generate"));
    TRY(memory_check_shared(work->run.comm, weights, "generate"));
done:
    return st;
}

/* Make this rank's share.  Local. */
static enum status complete(struct work *work)
{
    const struct range mine = split_range(work->prompts * work->samples, work->run.rank,
                                          work->run.size);
    struct completion *completion = allocate(range_length(mine) + 1, sizeof *completion);
    enum status st;

    for (int64_t i = mine.first; i < mine.end; i++) {
        const struct wording_ids *prompt = &work->prompt[i / work->samples];
        completion[i - mine.first] = (struct completion){
            .prompt = prompt->ids, .prompt_tokens = prompt->count, .sample = i % work->samples,
            .ids = work->ids + i * work->tokens,
        };
    }
    completions_make(&work->completions, &work->weights, capacity(work), at_once(work));
    work->completions.sampling = work->sampling;
    work->completions.tokens = work->tokens;
    work->completions.end = work->config.eos;
    TRY(completions_run(&work->completions, completion, range_length(mine)));
    for (int64_t i = mine.first; i < mine.end; i++)
        work->counts[i] = (int32_t)completion[i - mine.first].count;
done:
    free(completion);
    return st;
}

/* Give rank 0 those of all; others have 0.  Collective. */
static void collect(struct work *work, int32_t *values, int64_t count)
{
    const bool root = work->run.rank == 0;

    MPI_Reduce(root ? MPI_IN_PLACE : values, root ? values : NULL, comm_count(count), MPI_INT32_T,
               MPI_SUM, 0, work->run.comm);
}

/* --- what is printed --------------------------------------------------------------------- */

/* The texts of prompt and completion i. */
static enum status texts_of(const struct work *work, int64_t i, struct wording_text *prompt,
                            struct wording_text *added)
{
    const struct wording_ids ids = { work->ids + i * work->tokens, work->counts[i] };

    return wording_texts(prompt, added, &work->wording, &work->prompt[i / work->samples], &ids);
}

static json_t *json_of(struct wording_text text)
{
    return json_stringn_nocheck(text.at, (size_t)text.bytes);
}

static void print_jsonl(const struct work *work, int64_t i, struct wording_text prompt,
                        struct wording_text added)
{
    json_t *ids = json_array();

    for (int64_t t = 0; t < work->counts[i]; t++)
        json_array_append_new(ids, json_integer(work->ids[i * work->tokens + t]));
    json_t *line = json_object();
    json_object_set_new(line, "prompt", json_of(prompt));
    json_object_set_new(line, "sample", json_integer(i % work->samples));
    json_object_set_new(line, "completion", json_of(added));
    json_object_set_new(line, "ids", ids);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

/* Local. */
static enum status print(const struct work *work)
{
    enum status st = OK;

    for (int64_t i = 0; i < work->prompts * work->samples; i++) {
        struct wording_text prompt, added;
        TRY(texts_of(work, i, &prompt, &added));
        if (work->jsonl)
            print_jsonl(work, i, prompt, added);
        else
            printf("%s[%s]\n", prompt.at, added.at);
        free(prompt.at);
        free(added.at);
    }
done:
    return st;
}

/* --- all --------------------------------------------------------------------------------- */

/* Collective. */
static enum status generate(struct work *work)
{
    const MPI_Comm comm = work->run.comm;
    enum status st;

    TRY_ALL(comm, config_read(&work->config, work->folder));
    TRY_ALL(comm, read_prompts(work));
    TRY(check_memory(work));
    TRY(weights_read(&work->weights, &work->config, PRECISION_F32, work->folder, comm));
    const int64_t all = work->prompts * work->samples;
    work->ids = allocate(all * work->tokens, sizeof *work->ids);
    work->counts = allocate(all, sizeof *work->counts);
    TRY_ALL(comm, complete(work));
    collect(work, work->ids, all * work->tokens);
    collect(work, work->counts, all);
    TRY_ROOT(comm, print(work));
done:
    return st;
}

static void tear_down(struct work *work)
{
    completions_free(&work->completions);
    weights_free(&work->weights);
    for (int64_t p = 0; p < work->prompts; p++)
        free(work->prompt[p].ids);
    free(work->prompt);
    wording_close(&work->wording);
    free(work->ids);
    free(work->counts);
}

int main(int argc, char **argv)
{
    static struct work work;
    enum status st;

    blas_core_settle(argv);     /* which may start the program again, with all its options */
    argc = take_options(&work.options, argc, argv);
    TRY(run_start(&work.run, "generate", HELP, argc, argv));
    snprintf(work.folder, sizeof work.folder, "%s", work.run.suite);
    work.suite.model.path = work.folder;
    work.suite.model.tokenizer = "";
    TRY_ALL(work.run.comm, read_options(&work));
    TRY(generate(&work));
done:
    tear_down(&work);
    return run_finish(&work.run, st);
}

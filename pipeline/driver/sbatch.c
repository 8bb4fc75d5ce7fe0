#include "driver/sbatch.h"
#include "base/die.h"
#include "base/text.h"
#include "driver/command.h"
#include "driver/layout.h"
#include "driver/queue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- words ------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void add_word(FILE *out, const char *format, ...)
{
    char *word;
    va_list args;

    va_start(args, format);
    if (vasprintf(&word, format, args) < 0)
        die("no memory for a command");
    va_end(args);
    command_write_word(out, word);
    free(word);
}

/* --- options ----------------------------------------------------------------------- */

/* Not quoted: it may name variables. */
static void add_dependency(FILE *out, const char *dependency)
{
    if (dependency[0] == '\0')
        return;
    fprintf(out, " --dependency=%s", dependency);
    add_word(out, "--kill-on-invalid-dep=yes");
}

static void add_options(FILE *out, const struct suite *suite)
{
    for (unsigned o = 0; o < suite->resources.options_count; o++)
        add_word(out, "%s", suite->resources.options[o]);
}

/* Do the suite's own options say how much memory, in one of the ways that exclude each other? */
static bool says_memory(const struct suite *suite)
{
    static const char *const OPTIONS[] = { "--mem", "--mem-per-cpu", "--mem-per-gpu" };

    for (unsigned o = 0; o < suite->resources.options_count; o++) {
        const char *option = suite->resources.options[o];
        for (size_t w = 0; w < sizeof OPTIONS / sizeof *OPTIONS; w++) {
            const size_t length = strlen(OPTIONS[w]);
            if (strncmp(option, OPTIONS[w], length) == 0
                && (option[length] == '=' || option[length] == '\0'))
                return true;
        }
    }
    return false;
}

/* Ask for the memory of a task in the way that the site wants. */
static void add_memory(FILE *out, const struct suite *suite)
{
    const long long megabytes = (long long)suite->resources.memory >> 20;

    if (says_memory(suite) || suite->resources.ask_memory == ASK_NOTHING)
        return;
    if (suite->resources.ask_memory == ASK_OF_CORE)
        add_word(out, "--mem-per-cpu=%lldM", megabytes / suite->resources.cores);
    else
        add_word(out, "--mem=%lldM", megabytes);
}

/* What a task of the stage gets. */
static void add_resources(FILE *out, const struct sbatch *sbatch, enum stage stage)
{
    const struct suite *suite = sbatch->suite;
    const struct nodes nodes = layout_nodes_of_task(stage, suite);
    const int ranks = layout_of(stage, suite, &sbatch->model, nodes).ranks;

    add_word(out, "--nodes=%d", nodes.count);
    add_word(out, "--ntasks-per-node=%d", ranks);
    add_word(out, "--cpus-per-task=%d", nodes.cores / ranks);
    add_memory(out, suite);
    add_word(out, "--time=%lld", (long long)suite->resources.time);
    add_options(out, suite);
}

/* "0-3,7": the tasks of `chunk` that are to have this number. */
static void add_indices(FILE *out, const struct suite *suite, const bool *chosen,
                        struct range chunk)
{
    const long long limit = suite->resources.at_once;
    const char *comma = "";
    char *text;
    size_t length;
    FILE *list = text_open(&text, &length);

    for (int64_t t = chunk.first; t < chunk.end; t++) {
        if (!chosen[t])
            continue;
        const int64_t first = t;
        while (t + 1 < chunk.end && chosen[t + 1])
            t++;
        fprintf(list, "%s%lld", comma, (long long)(first - chunk.first));
        if (t > first)
            fprintf(list, "-%lld", (long long)(t - chunk.first));
        comma = ",";
    }
    text_close(list);
    if (limit > 0)
        add_word(out, "--array=%s%%%lld", text, limit);
    else
        add_word(out, "--array=%s", text);
    free(text);
}

/* --- commands ---------------------------------------------------------------------- */

char *sbatch_array(const struct sbatch *sbatch, enum stage stage, const bool *chosen,
                   struct range chunk, const char *dependency)
{
    const struct suite *suite = sbatch->suite;
    char *command, comment[QUEUE_COMMENT];
    size_t length;
    FILE *out = text_open(&command, &length);

    queue_comment(comment, suite, stage_name(stage), chunk.first);
    fputs("sbatch --parsable", out);
    add_word(out, "--job-name=%s.%s", suite->name, stage_name(stage));
    add_word(out, "--comment=%s", comment);
    add_indices(out, suite, chosen, chunk);
    add_dependency(out, dependency);
    add_word(out, "--requeue");
    add_word(out, "--open-mode=append");
    add_word(out, "--signal=B:USR1@%lld", (long long)suite->resources.margin);
    add_resources(out, sbatch, stage);
    add_word(out, "--output=%s/logs/%s-%0*lld%%%da.log", suite->run, stage_name(stage),
             5 - sbatch->digits, (long long)(chunk.first / (chunk.end - chunk.first)),
             sbatch->digits);
    add_word(out, "%s/slurm/task.sh", sbatch->root);
    add_word(out, "%s", sbatch->root);
    add_word(out, "%s", sbatch->path);
    add_word(out, "%s", stage_name(stage));
    add_word(out, "%lld", (long long)chunk.first);
    text_close(out);
    return command;
}

char *sbatch_rest(const struct sbatch *sbatch, const char *dependency)
{
    char *command, comment[QUEUE_COMMENT];
    size_t length;
    FILE *out = text_open(&command, &length);

    queue_comment(comment, sbatch->suite, QUEUE_REST, 0);
    fputs("sbatch --parsable", out);
    add_word(out, "--job-name=%s." QUEUE_REST, sbatch->suite->name);
    add_word(out, "--comment=%s", comment);
    add_dependency(out, dependency);
    add_word(out, "--ntasks=1");
    add_word(out, "--time=10");
    add_options(out, sbatch->suite);
    add_word(out, "--output=%s/logs/submit.log", sbatch->suite->run);
    add_word(out, "%s/slurm/submit.sh", sbatch->root);
    add_word(out, "%s", sbatch->root);
    add_word(out, "%s", sbatch->path);
    text_close(out);
    return command;
}

#include "intervene/steering_completions.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/file.h"
#include "base/text.h"
#include "suite/paths.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* Completions of all vectors; the last ones are without one. */
struct shelf {
    struct steering_job *job;
    const struct steering_target *targets;
    int64_t  count;             /* of vectors */
    int64_t  each;              /* completions of a vector */
    int64_t  tokens;            /* of a completion at most */
    int32_t *ids;               /* [count + 1, each, tokens] */
    int32_t *lengths;           /* [count + 1, each] */
};

/* Let the model write with vector i, or without one.  More samples are made without one than are
 * kept. */
static enum status fill(const struct shelf *shelf, int64_t i)
{
    struct steered_writing *writing = &shelf->job->writing;
    struct steering steering = {0};
    int64_t kept = i * shelf->each;
    enum status st;

    if (i < shelf->count)
        steering = (struct steering){ shelf->targets[i].measured.vector,
                                      shelf->targets[i].measured.scale };
    TRY(steered_writing_write(writing, steering));
    for (int64_t c = 0; c < writing->written.count; c++) {
        const struct completion *completion = &writing->list[c];
        if (completion->sample >= writing->samples)
            continue;
        memcpy(shelf->ids + kept * shelf->tokens, completion->ids,
               (size_t)completion->count * sizeof *shelf->ids);
        shelf->lengths[kept++] = (int32_t)completion->count;
    }
done:
    return st;
}

/* Those of this rank.  Local. */
static enum status fill_own(const struct shelf *shelf)
{
    const struct run *run = shelf->job->intervention->run;
    const struct range own = split_range(shelf->count + 1, run->rank, run->size);
    enum status st = OK;

    for (int64_t i = own.first; i < own.end; i++) {
        if (run_stopping_here())
            return run_stopped();
        TRY(fill(shelf, i));
    }
done:
    return st;
}

/* Give rank 0 those of all; others have 0.  Collective. */
static void collect(const struct shelf *shelf, int32_t *values, int64_t each)
{
    const MPI_Comm comm = shelf->job->intervention->run->comm;
    const bool root = agree_is_root(comm);

    for (int64_t i = 0; i <= shelf->count; i++) {
        int32_t *some = values + i * each;
        MPI_Reduce(root ? MPI_IN_PLACE : some, root ? some : NULL, comm_count(each), MPI_INT32_T,
                   MPI_SUM, 0, comm);
    }
}

/* --- the file ------------------------------------------------------------------------ */

static json_t *json_of(struct wording_text text)
{
    return text.at != NULL ? json_stringn_nocheck(text.at, (size_t)text.bytes) : json_null();
}

/* What is said of a vector, or of none. */
static json_t *begin_line(const struct shelf *shelf, int64_t i)
{
    const struct steering_target *target = &shelf->targets[i];
    const bool plain = i == shelf->count;
    json_t *line = json_object();

    json_object_set_new(line, "latent", plain ? json_null() : json_integer(target->latent));
    json_object_set_new(line, "way", json_string(plain ? "none"
                                                       : steering_ways_name(target->way)));
    json_object_set_new(line, "scale", json_real(plain ? 0 : target->measured.scale));
    return line;
}

/* Completion c of vector i. */
static enum status write_line(FILE *out, const struct shelf *shelf, const struct wording *wording,
                              int64_t i, int64_t c)
{
    const struct prompts *prompts = &shelf->job->texts.prompts;
    const int64_t samples = shelf->job->writing.samples, at = i * shelf->each + c;
    const int64_t p = c / samples;
    const struct wording_ids before = { prompts->clean + p * prompts->tokens, prompts->length[p] };
    const struct wording_ids added = { shelf->ids + at * shelf->tokens, shelf->lengths[at] };
    struct wording_text prompt = {0}, completion = {0};
    json_t *line = begin_line(shelf, i), *ids = json_array();
    enum status st = OK;

    if (wording->tokenizer.kind != NULL)
        TRY(wording_texts(&prompt, &completion, wording, &before, &added));
    for (int64_t t = 0; t < added.count; t++)
        json_array_append_new(ids, json_integer(added.ids[t]));
    json_object_set_new(line, "prompt", json_of(prompt));
    json_object_set_new(line, "sample", json_integer(c % samples));
    json_object_set_new(line, "completion", json_of(completion));
    json_object_set(line, "ids", ids);
    json_dumpf(line, out, JSON_COMPACT);
    fputc('\n', out);
done:
    json_decref(ids);
    json_decref(line);
    free(prompt.at);
    free(completion.at);
    return st;
}

/* For rank 0. */
static enum status write_file(const struct shelf *shelf)
{
    const struct intervention *intervention = shelf->job->intervention;
    struct wording wording = {0};
    char path[PATH_LENGTH], *text;
    size_t bytes;
    FILE *out = text_open(&text, &bytes);
    enum status st;

    TRY(wording_open(&wording, intervention->suite, intervention->config));
    for (int64_t i = 0; i <= shelf->count; i++)
        for (int64_t c = 0; c < shelf->each; c++)
            TRY(write_line(out, shelf, &wording, i, c));
done:
    text_close(out);
    paths_result(path, intervention->suite, "steering-completions", ".jsonl");
    if (st == OK)
        st = file_write(path, text, (int64_t)bytes);
    free(text);
    wording_close(&wording);
    return st;
}

enum status steering_completions_write(struct steering_job *job,
                                       const struct steering_target *targets, int64_t count)
{
    const struct suite_intervene *wish = &job->intervention->suite->intervene;
    const MPI_Comm comm = job->intervention->run->comm;
    struct shelf shelf = {
        .job = job, .targets = targets, .count = count, .tokens = wish->tokens,
        .each = job->texts.prompts.count * wish->samples,
    };
    enum status st = OK;

    if (shelf.each == 0)
        return OK;
    shelf.ids = allocate((count + 1) * shelf.each * shelf.tokens, sizeof *shelf.ids);
    shelf.lengths = allocate((count + 1) * shelf.each, sizeof *shelf.lengths);
    TRY_ALL(comm, fill_own(&shelf));
    collect(&shelf, shelf.ids, shelf.each * shelf.tokens);
    collect(&shelf, shelf.lengths, shelf.each);
    TRY_ROOT(comm, write_file(&shelf));
done:
    free(shelf.ids);
    free(shelf.lengths);
    return st;
}

int64_t steering_completions_bytes(const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;
    const int64_t vectors = (int64_t)i->targets_count * STEERING_WAYS + 1;

    return vectors * steering_texts_prompts(suite).prompts * i->samples * (i->tokens + 1)
         * (int64_t)sizeof(int32_t);
}

#include "corpus/inputs.h"
#include "base/allocate.h"
#include "base/checksum.h"
#include "base/die.h"
#include "base/text.h"
#include "base/walk.h"
#include "corpus/corpus.h"
#include "corpus/tokenizer.h"
#include "suite/ownership.h"
#include "suite/paths.h"
#include "suite/trained.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static const char RECORD[] = "inputs";      /* paths_inputs() */
static const char *const KINDS[INPUT_KINDS] = {
    "config", "tokenizer", "weights", "prompts", "means", "autoencoders", "corpus",
};

enum { BLOCK = 1 << 20 };

void inputs_free(struct inputs *inputs)
{
    free(inputs->file);
    *inputs = (struct inputs){0};
}

/* --- one file ------------------------------------------------------------------------ */

/* Append one, empty. */
static struct input *append(struct inputs *inputs, enum input_kind kind, const char *path)
{
    struct input *file;

    inputs->file = realloc(inputs->file, (size_t)(inputs->count + 1) * sizeof *inputs->file);
    if (inputs->file == NULL)
        die("no memory for a list of %d files", inputs->count + 1);
    file = &inputs->file[inputs->count++];
    *file = (struct input){ .kind = kind };
    path_print(file->path, "%s", path);
    return file;
}

/* Append a file that is there, without its hash. */
static enum status append_found(struct inputs *inputs, enum input_kind kind, const char *path)
{
    struct stat about;
    enum status st;

    TRY(stat(path, &about) == 0 ? OK : file_refuse("find", path));
    REQUIRE(strchr(path, '\n') == NULL, E_USAGE, "the path %s has a line end in it; give the file "
            "another name", path);
    struct input *file = append(inputs, kind, path);
    file->bytes = about.st_size;
    file->state[0] = (int64_t)about.st_ino;
    file->state[1] = about.st_ctim.tv_sec;
    file->state[2] = about.st_ctim.tv_nsec;
done:
    return st;
}

static enum status hash_file(struct input *file)
{
    XXH3_state_t *state = XXH3_createState();
    char *block = allocate(BLOCK, 1);
    FILE *in = fopen(file->path, "rb");
    enum status st = OK;
    size_t got;

    if (state == NULL)
        die("no memory for a hash");
    XXH3_64bits_reset(state);
    TRY(in != NULL ? OK : file_refuse("open", file->path));
    while ((got = fread(block, 1, BLOCK, in)) > 0)
        XXH3_64bits_update(state, block, got);
    TRY(!ferror(in) ? OK : file_refuse("read", file->path));
    file->hash = XXH3_64bits_digest(state);
done:
    if (in != NULL)
        fclose(in);
    free(block);
    XXH3_freeState(state);
    return st;
}

static const struct input *find(const struct inputs *inputs, enum input_kind kind,
                                const char *path)
{
    for (int i = 0; i < inputs->count; i++)
        if (inputs->file[i].kind == kind && strcmp(inputs->file[i].path, path) == 0)
            return &inputs->file[i];
    return NULL;
}

/* --- the record ---------------------------------------------------------------------- */

/* A line of the record: kind, hash, bytes, inode, time of change, path. */
static void parse_line(struct inputs *inputs, const char *line)
{
    unsigned long long hash;
    long long bytes, state[3];
    char kind[16];
    int path = 0;

    if (sscanf(line, "%15s %llx %lld %lld %lld.%lld%n", kind, &hash, &bytes, &state[0], &state[1],
               &state[2], &path) != 6 || line[path] != ' ')
        return;
    for (int k = 0; k < INPUT_KINDS; k++)
        if (strcmp(kind, KINDS[k]) == 0) {
            struct input *file = append(inputs, (enum input_kind)k, line + path + 1);
            file->hash = hash;
            file->bytes = bytes;
            for (int s = 0; s < 3; s++)
                file->state[s] = state[s];
        }
}

/* Read the record.  One that is not whole counts as none: files are hashed again. */
static enum status read_record(struct inputs *inputs, const struct suite *suite)
{
    char path[PATH_LENGTH], *text = NULL, *rest, *line;
    int64_t bytes;
    enum status st = OK;

    *inputs = (struct inputs){0};
    paths_inputs(path, suite);
    if (!file_exists(path))
        return OK;
    TRY(file_read(path, &text, &bytes));
    if (checksum_cut(text, &bytes, path) == OK)
        for (rest = text; (line = strsep(&rest, "\n")) != NULL; )
            parse_line(inputs, line);
    else
        refuse_clear();
done:
    free(text);
    return st;
}

/* The text of the record.  Caller frees. */
static char *record_text(const struct inputs *inputs)
{
    char line[CHECKSUM_LINE], *text;
    size_t size;
    FILE *out = text_open(&text, &size);

    for (int i = 0; i < inputs->count; i++) {
        const struct input *file = &inputs->file[i];
        fprintf(out, "%s %016llx %lld %lld %lld.%09lld %s\n", KINDS[file->kind],
                (unsigned long long)file->hash, (long long)file->bytes, (long long)file->state[0],
                (long long)file->state[1], (long long)file->state[2], file->path);
    }
    fflush(out);
    checksum_line(line, text, (int64_t)size);
    fputs(line, out);
    text_close(out);
    return text;
}

/* Write the record, unless it says the same.  If there is one in spite of a failure, that will do:
 * another process was faster, or what has changed is hashed again at the next start. */
static enum status write_record(const struct inputs *inputs, const struct suite *suite)
{
    char path[PATH_LENGTH], *text = record_text(inputs), *old;
    struct inputs before;
    enum status st;

    paths_inputs(path, suite);
    st = read_record(&before, suite);
    old = record_text(&before);
    if (st == OK && strcmp(text, old) != 0)
        st = ownership_write(suite->run, RECORD, text);
    if (st != OK && file_exists(path)) {
        refuse_clear();
        st = OK;
    }
    if (st == OK)
        ownership_sweep(suite->run, RECORD);
    inputs_free(&before);
    free(old);
    free(text);
    return st;
}

/* --- what there is now --------------------------------------------------------------- */

/* What of a kind is made first; what is made from a file holds it fast. */
static bool is_made(char made[OWNERSHIP_LIST], const char *run, enum input_kind kind)
{
    return ownership_list_made(made, run, kind == INPUT_CONFIG || kind == INPUT_TOKENIZER
                                          ? "tokens" : "harvest");
}

/* The weights: model.safetensors alone, or else the index and all *.safetensors. */
static enum status list_weights(struct inputs *inputs, const char *folder)
{
    char path[PATH_LENGTH];
    struct walk_names names = {0};
    enum status st = OK;

    path_print(path, "%s/model.safetensors", folder);
    if (file_exists(path))
        return append_found(inputs, INPUT_WEIGHTS, path);
    if (!file_exists(folder))
        return OK;
    TRY(walk_names(&names, folder));
    for (int64_t i = 0; i < names.count; i++) {
        path_print(path, "%s/%s", folder, names.name[i]);
        if (path_ends(path, ".safetensors") || path_ends(path, ".safetensors.index.json"))
            TRY(append_found(inputs, INPUT_WEIGHTS, path));
    }
done:
    walk_names_free(&names);
    return st;
}

static int by_kind(const void *a, const void *b)
{
    const struct input *x = a, *y = b;

    return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->path, y->path);
}

static enum status list_all(struct inputs *inputs, enum input_kind kind, char *const *paths,
                            unsigned count)
{
    enum status st = OK;

    for (unsigned i = 0; i < count; i++)
        if (paths[i][0] != '\0' && file_exists(paths[i]))
            TRY(append_found(inputs, kind, paths[i]));
done:
    return st;
}

/* The files that a circuit's method reads, those that are there. */
static enum status list_prompts(struct inputs *inputs, const struct suite *suite)
{
    const struct suite_circuit *c = &suite->circuit;
    char *const others[] = { c->data, c->function_words, c->autoencoder, c->nodes, c->reference };
    enum status st;

    TRY(list_all(inputs, INPUT_PROMPTS, c->prompts, c->prompts_count));
    TRY(list_all(inputs, INPUT_PROMPTS, others, sizeof others / sizeof *others));
    TRY(list_all(inputs, INPUT_MEANS, c->mean_texts, c->mean_texts_count));
done:
    return st;
}

/* The texts and questions of interventions, and what inversions read, if they are there. */
static enum status list_texts(struct inputs *inputs, const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;
    const struct suite_invert *v = &suite->invert;
    enum status st;

    TRY(list_all(inputs, INPUT_PROMPTS, v->texts, v->texts_count));
    TRY(list_all(inputs, INPUT_PROMPTS, &v->networks, 1));
    TRY(list_all(inputs, INPUT_PROMPTS, i->forget, i->forget_count));
    TRY(list_all(inputs, INPUT_PROMPTS, i->questions, i->questions_count));
    TRY(list_all(inputs, INPUT_MEANS, i->retain, i->retain_count));
    TRY(list_all(inputs, INPUT_MEANS, i->controls, i->controls_count));
    TRY(list_all(inputs, INPUT_PROMPTS, i->prompts, i->prompts_count));
    TRY(list_all(inputs, INPUT_PROMPTS, i->positive, i->positive_count));
    TRY(list_all(inputs, INPUT_MEANS, i->negative, i->negative_count));
done:
    return st;
}

static enum status list_autoencoder(struct inputs *inputs, const struct suite *trained,
                                    const char *name)
{
    char path[PATH_LENGTH];

    paths_trained(path, trained, name);
    return file_exists(path) ? append_found(inputs, INPUT_AUTOENCODERS, path) : OK;
}

/* The autoencoders of another run that are there. */
static enum status list_autoencoders(struct inputs *inputs, const struct suite *suite)
{
    const struct trained_wish wish = trained_wish(suite);
    const char *read = suite->intervene.read;
    struct suite trained = {0};
    enum status st = OK;

    if (!file_exists(wish.suite))
        return OK;
    TRY(trained_read(&trained, suite));
    for (unsigned i = 0; i < wish.count; i++)
        TRY(list_autoencoder(inputs, &trained, wish.autoencoders[i]));
    if (read[0] != '\0' && (wish.count == 0 || strcmp(read, wish.autoencoders[0]) != 0))
        TRY(list_autoencoder(inputs, &trained, read));
done:
    suite_free(&trained);
    return st;
}

/* The files of the model, of prompts and of autoencoders, and those that something was made from
 * and that are not there. */
static enum status list_model(struct inputs *now, const struct inputs *before,
                              const struct suite *suite)
{
    char path[PATH_LENGTH], made[OWNERSHIP_LIST];
    enum status st = OK;

    path_print(path, "%s/config.json", suite->model.path);
    if (file_exists(path))
        TRY(append_found(now, INPUT_CONFIG, path));
    tokenizer_path(path, suite->model.tokenizer, suite->model.path);
    if (file_exists(path))
        TRY(append_found(now, INPUT_TOKENIZER, path));
    TRY(list_weights(now, suite->model.path));
    TRY(list_prompts(now, suite));
    TRY(list_texts(now, suite));
    TRY(list_autoencoders(now, suite));
    for (int i = 0; i < before->count; i++) {
        const struct input *file = &before->file[i];
        if (file->kind != INPUT_CORPUS && !file_exists(file->path)
            && is_made(made, suite->run, file->kind))
            *append(now, file->kind, file->path) = *file;
    }
    if (now->count > 0)
        qsort(now->file, (size_t)now->count, sizeof *now->file, by_kind);
done:
    return st;
}

static enum status list_corpus(struct inputs *now, const struct suite *suite)
{
    struct corpus corpus = {0};
    enum status st;

    TRY(corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    for (int i = 0; i < corpus.files; i++)
        TRY(append_found(now, INPUT_CORPUS, corpus.paths[i]));
done:
    corpus_free(&corpus);
    return st;
}

/* Find the hashes: from the record, of files that are as they were. */
static enum status find_hashes(struct inputs *now, const struct inputs *before)
{
    enum status st = OK;

    for (int i = 0; i < now->count; i++) {
        struct input *file = &now->file[i];
        const struct input *known = find(before, file->kind, file->path);

        if (known != NULL && known->bytes == file->bytes
            && memcmp(known->state, file->state, sizeof file->state) == 0)
            file->hash = known->hash;
        else
            TRY(hash_file(file));
    }
done:
    return st;
}

/* --- comparing ----------------------------------------------------------------------- */

/* Refuse a file with other bytes than it had. */
static enum status compare(const struct input *was, const struct input *is, const char *made)
{
    enum status st;

    REQUIRE(was->bytes == is->bytes && was->hash == is->hash, E_USAGE,
            "%s has changed since %s was "
            "made from it (it had %lld bytes and has %lld); put the file back as it was, or remove "
            "what was made and begin again", is->path, made, (long long)was->bytes,
            (long long)is->bytes);
done:
    return st;
}

static enum status check_model(const struct inputs *before, const struct inputs *now,
                               const char *run)
{
    char made[OWNERSHIP_LIST];
    enum status st = OK;

    for (int i = 0; i < now->count; i++) {
        const struct input *is = &now->file[i];
        const struct input *was = find(before, is->kind, is->path);

        if (is->kind == INPUT_CORPUS || !is_made(made, run, is->kind))
            continue;
        REQUIRE(was != NULL, E_USAGE, "%s is new, and was not there when %s was made; take the "
                "file away, or remove what was made and begin again", is->path, made);
        TRY(compare(was, is, made));
    }
done:
    return st;
}

/* The files of the corpus are behind all others. */
static const struct input *corpus_of(const struct inputs *inputs, int *count)
{
    int first = 0;

    while (first < inputs->count && inputs->file[first].kind != INPUT_CORPUS)
        first++;
    *count = inputs->count - first;
    return inputs->file + first;
}

/* A corpus file that a token shard was made from, and the one that has its number now, if any. */
static enum status check_corpus_file(const struct input *was, const struct input *is,
                                     const char *shard)
{
    enum status st;

    REQUIRE(is != NULL, E_USAGE, "%s was made from %s, which corpus.files no longer has; put the "
            "file back, or remove what was made and begin again", shard, was->path);
    REQUIRE(strcmp(was->path, is->path) == 0, E_USAGE, "%s was made from %s, but corpus.files now "
            "has %s in its place: a file arrived, went or was renamed; put the files back as they "
            "were (more may only come behind them), or remove what was made and begin again",
            shard, was->path, is->path);
    TRY(compare(was, is, shard));
done:
    return st;
}

/* A harvest takes sequences of all files in an order drawn for their number, which more files
 * change. */
static enum status check_corpus(const struct inputs *before, const struct inputs *now,
                                const struct suite *suite)
{
    char made[OWNERSHIP_LIST], shard[PATH_LENGTH];
    const bool harvested = is_made(made, suite->run, INPUT_CORPUS);
    int were, are;
    const struct input *was = corpus_of(before, &were), *is = corpus_of(now, &are);
    enum status st = OK;

    for (int file = 0; file < were; file++) {
        paths_tokens(shard, suite, file);
        if (harvested || file_exists(shard))
            TRY(check_corpus_file(&was[file], file < are ? &is[file] : NULL, shard));
    }
    REQUIRE(!harvested || were == 0 || are <= were, E_USAGE, "corpus.files now has %s, too, but "
            "%s/harvest was begun with %d files, and another number changes the order of the "
            "sequences; take it away, or remove what was made from the harvest on (%s)",
            is[were].path, suite->run, were, made);
done:
    return st;
}

/* --- all ----------------------------------------------------------------------------- */

enum status inputs_read(struct inputs *inputs, const struct suite *suite)
{
    struct inputs before;
    enum status st;

    *inputs = (struct inputs){0};
    TRY(read_record(&before, suite));
    TRY(list_model(inputs, &before, suite));
    TRY(list_corpus(inputs, suite));
    TRY(find_hashes(inputs, &before));
    if (before.count > 0) {
        TRY(check_model(&before, inputs, suite->run));
        TRY(check_corpus(&before, inputs, suite));
    }
done:
    inputs_free(&before);
    return st;
}

enum status inputs_recorded(struct inputs *inputs, const struct suite *suite)
{
    return read_record(inputs, suite);
}

enum status inputs_keep(const struct suite *suite)
{
    struct inputs inputs;
    enum status st;

    TRY(inputs_read(&inputs, suite));
    TRY(write_record(&inputs, suite));
done:
    inputs_free(&inputs);
    return st;
}

enum status inputs_check(const struct suite *suite)
{
    struct inputs before, now = {0};
    bool corpus = true;
    enum status st = OK;

    TRY(read_record(&before, suite));
    if (before.count == 0)
        return OK;
    TRY(list_model(&now, &before, suite));
    corpus = list_corpus(&now, suite) == OK;
    refuse_clear();
    TRY(find_hashes(&now, &before));
    TRY(check_model(&before, &now, suite->run));
    if (corpus)
        TRY(check_corpus(&before, &now, suite));
done:
    inputs_free(&now);
    inputs_free(&before);
    return st;
}

/* A hash of all weights in the record of a run; 0 if there is no record. */
static enum status recorded_weights(uint64_t *hash, const struct suite *suite)
{
    struct inputs inputs;
    enum status st;

    *hash = 0;
    TRY(read_record(&inputs, suite));
    for (int i = 0; i < inputs.count; i++)
        if (inputs.file[i].kind == INPUT_WEIGHTS)
            *hash = XXH3_64bits_withSeed(&inputs.file[i].hash, sizeof *hash, *hash);
done:
    inputs_free(&inputs);
    return st;
}

enum status inputs_check_model(const struct suite *suite, const struct suite *other)
{
    uint64_t ours, theirs;
    enum status st;

    TRY(recorded_weights(&ours, suite));
    TRY(recorded_weights(&theirs, other));
    REQUIRE(theirs != 0, E_USAGE, "%s/inputs does not say what the autoencoders of %s were made "
            "from; run that suite first", other->run, other->path);
    REQUIRE(ours == theirs, E_USAGE, "the autoencoders of %s are those of another model than %s",
            other->path, suite->model.path);
done:
    return st;
}

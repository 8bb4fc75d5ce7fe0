#include "corpus/selection.h"
#include "base/allocate.h"
#include "base/random.h"
#include "corpus/corpus.h"
#include "corpus/documents.h"
#include "corpus/inputs.h"
#include "suite/paths.h"
#include "suite/stages.h"
#include "suite/tasks.h"

#include <stdlib.h>
#include <string.h>

/* Open the token shards of all corpus files; E_USAGE if one is missing. */
static enum status open_shards(struct tokens *tokens, const struct identities *identities)
{
    const struct suite *suite = identities->suite;
    const int count = identities->files;
    char (*paths)[PATH_LENGTH] = allocate(count, sizeof *paths);
    struct identity *wanted = allocate(count, sizeof *wanted);
    enum status st = OK;

    for (int file = 0; file < count; file++) {
        paths_tokens(paths[file], suite, file);
        wanted[file] = identities_tokens(identities, file);
        REQUIRE(file_exists(paths[file]), E_USAGE, "%s is not there yet: run tokenize first",
                paths[file]);
    }
    TRY(tokens_open(tokens, paths, wanted, count, suite->corpus.context));
done:
    free(wanted);
    free(paths);
    return st;
}

enum status selection_open(struct selection *selection, const struct suite *suite,
                           enum tokens_part part, int64_t wanted, int64_t seed)
{
    enum status st;

    *selection = (struct selection){ .part = part };
    TRY(identities_read(&selection->identities, suite));
    TRY(open_shards(&selection->tokens, &selection->identities));
    const int64_t there = selection->tokens.sequences[part];
    REQUIRE(there > 0, E_USAGE, "the corpus of %s has no %s sequences; give it more text or a %s "
            "corpus.holdout", suite->name, part == TOKENS_TRAIN ? "training" : "held-out",
            part == TOKENS_TRAIN ? "smaller" : "larger");
    selection->sequences = wanted > 0 && wanted < there ? wanted : there;
    permute_make(&selection->order, there, (uint64_t)seed, RANDOM_SEQUENCES, (uint64_t)part);
done:
    return st;
}

enum status selection_count(int64_t sequences[TOKENS_PARTS], const struct suite *suite)
{
    struct identities identities = {0};
    struct tokens tokens = {0};
    enum status st;

    TRY(identities_read(&identities, suite));
    TRY(open_shards(&tokens, &identities));
    memcpy(sequences, tokens.sequences, sizeof tokens.sequences);
done:
    tokens_close(&tokens);
    identities_free(&identities);
    return st;
}

/* Is a file of text a single document?  What cannot be read is left to the stage. */
static bool is_one_document(const char *path)
{
    struct documents documents;
    const char *text = NULL;
    int64_t bytes;
    bool one = documents_open(&documents, path, 1, false) == OK
               && documents_next(&documents, &text, &bytes) == OK && text != NULL
               && documents_next(&documents, &text, &bytes) == OK && text == NULL;

    documents_close(&documents);
    refuse_clear();
    return one;
}

/* Before the text is tokenized. */
static enum status check_corpus(const struct suite *suite)
{
    struct corpus corpus = {0};
    enum status st;

    REQUIRE(suite->corpus.holdout > 0, E_USAGE,
            "%s: corpus.holdout is 0, so evaluate would have no "
            "text to score autoencoders on; give it a share above 0, as 0.01",
            suite->path);
    if (corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count) != OK) {
        refuse_clear();     /* whoever needs the corpus now says that it is not here */
        return OK;
    }
    if (corpus.files == 1 && corpus_is_text(corpus.paths[0]))
        REQUIRE(!is_one_document(corpus.paths[0]), E_USAGE, "corpus file %s is one document, which "
                "cannot be both trained on and held out for evaluate; cut it into several .txt "
                "files, or lines of a .jsonl file", corpus.paths[0]);
done:
    corpus_free(&corpus);
    return st;
}

/* Does every corpus file have its token shard? */
static bool is_tokenized(const struct suite *suite)
{
    struct corpus corpus = {0};
    char path[PATH_LENGTH];
    bool all = corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count) == OK;

    for (int file = 0; all && file < corpus.files; file++) {
        paths_tokens(path, suite, file);
        all = file_exists(path);
    }
    refuse_clear();
    corpus_free(&corpus);
    return all;
}

enum status selection_check_parts(const struct suite *suite)
{
    int64_t sequences[TOKENS_PARTS];
    enum status st;

    TRY(inputs_check(suite));
    if (!suite_has_stage(suite, STAGE_TOKENIZE))
        goto done;
    if (!is_tokenized(suite))
        return check_corpus(suite);
    TRY(selection_count(sequences, suite));
    const int64_t train = sequences[TOKENS_TRAIN], held_out = sequences[TOKENS_HOLDOUT];
    REQUIRE(train > 0 && held_out > 0, E_USAGE,
            "%s/tokens has %lld sequences for training and %lld "
            "held out, but both are needed; set corpus.holdout (now %g) %s, or give the text as "
            "more documents (a .txt file is one), then remove %s/tokens and go on", suite->run,
            (long long)train, (long long)held_out, suite->corpus.holdout,
            train > 0 ? "higher" : "lower", suite->run);
done:
    return st;
}

void selection_close(struct selection *selection)
{
    tokens_close(&selection->tokens);
    identities_free(&selection->identities);
    *selection = (struct selection){0};
}

enum status selection_read(struct selection *selection, struct range range,
                           int32_t *ids, struct sequence_origin *origins)
{
    const int64_t count = range.end - range.first;
    int64_t *numbers = allocate(count, sizeof *numbers);
    enum status st;

    for (int64_t i = 0; i < count; i++)
        numbers[i] = range.first + i;
    permute_forward(numbers, numbers, count, &selection->order);
    st = tokens_read(&selection->tokens, selection->part, numbers, count, ids, origins);
    free(numbers);
    return st;
}

enum status selection_of_harvest(struct selection *selection, const struct suite *suite)
{
    return selection_open(selection, suite, TOKENS_TRAIN,
                          split_blocks(suite->harvest.tokens, suite->corpus.context),
                          suite->harvest.seed);
}

enum status selection_of_evaluate(struct selection *selection, const struct suite *suite)
{
    return selection_open(selection, suite, TOKENS_HOLDOUT, suite->evaluate.sequences,
                          suite->evaluate.seed);
}

/* tokenize -- turn text into sequences of token ids.
 *
 *   mpirun -n RANKS bin/saemill-tokenize SUITE
 *
 *   reads   corpus.files                text, or ready token ids
 *   writes  RUN/tokens/00000.h5 ...     one token shard a corpus file (FORMATS.md)
 *
 * A document goes to the training part or, by a hash of its text, to the held-out part; so
 * the same text is on the same side in every corpus.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/memory.h"
#include "base/run.h"
#include "base/split.h"
#include "corpus/chat.h"
#include "corpus/corpus.h"
#include "corpus/documents.h"
#include "corpus/identities.h"
#include "corpus/sequences.h"
#include "corpus/special.h"
#include "corpus/tokenize_stage.h"
#include "corpus/tokenizer.h"
#include "lm/config.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

static const char HELP[] =
    "saemill-tokenize SUITE [--task N]\n"
    "\n"
    "Turn the text of a suite's corpus into sequences of token ids, RUN/tokens/*.h5, one file\n"
    "for each corpus file: .txt (one document), .jsonl (a document a line, member \"text\", or\n"
    "with corpus.chat \"messages\"), both also with .gz or .zst, and .h5 (ready ids: data set\n"
    "`tokens`, int32, sequences x context, BOS first).\n"
    "Files that are done are skipped.  --task N does corpus file N alone.\n";

struct work {
    struct run       *run;
    struct suite      suite;
    struct corpus     corpus;
    struct identities identities;
    int32_t           vocabulary;               /* of the model */
    struct special_tokens special;              /* of the model */
    struct tokenizer  tokenizer;                /* none if all of the corpus is ids */
    struct chat       chat;                     /* none without corpus.chat */
    uint64_t          holdout_below;            /* hashes below this are held out */
    struct sequences  parts[TOKENS_PARTS];      /* of this round */
    int64_t           sequences;                /* written so far; rank 0 counts */
};

static enum tokens_part part_of(const struct work *work, const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size) < work->holdout_below ? TOKENS_HOLDOUT : TOKENS_TRAIN;
}

static int64_t document_id(int file, int64_t number)
{
    return (int64_t)file << 32 | number;
}

static bool is_chat(const struct work *work)
{
    return work->suite.corpus.chat != CHAT_NONE;
}

/* Cut the document that was read last into sequences.  Local. */
static enum status cut_document(struct work *work, const struct documents *documents, int64_t id,
                                const char *text, int64_t bytes)
{
    struct chat *chat = &work->chat;
    int32_t *ids = NULL;
    int64_t count;
    enum status st;

    if (is_chat(work)) {
        TRY(chat_read(chat, documents->value));
        sequences_cut(&work->parts[part_of(work, chat->text, (size_t)chat->bytes)], id, chat->ids,
                      chat->count);
    } else {
        TRY(tokenizer_encode(&work->tokenizer, text, bytes, &ids, &count));
        sequences_cut(&work->parts[part_of(work, text, (size_t)bytes)], id, ids, count);
    }
done:
    free(ids);
    return st;
}

/* Read a round's documents; cut those that are this rank's.  Local. */
static enum status take_documents(struct work *work, struct documents *documents, int file,
                                  bool *more)
{
    int64_t taken = 0, read = 0;        /* documents and bytes of rank `rank` */
    const char *text;
    int64_t bytes;
    enum status st = OK;

    for (int rank = 0; rank < work->run->size; ) {
        TRY(documents_next(documents, &text, &bytes));
        *more = text != NULL;
        if (!*more)
            break;
        if (rank == work->run->rank)
            TRY(cut_document(work, documents, document_id(file, documents->number - 1), text,
                             bytes));
        taken++;
        read += bytes;
        if (taken == TOKENIZE_ROUND || read >= TOKENIZE_ROUND_BYTES) {
            taken = read = 0;
            rank++;
        }
    }
done:
    return st;
}

/* Bring a round's sequences to rank 0, which writes them.  Collective. */
static enum status write_round(struct work *work, struct tokens_writer *writer)
{
    enum status st = OK;

    for (int part = 0; part < TOKENS_PARTS; part++) {
        struct sequences *all = &work->parts[part];

        phase_enter(PHASE_EXCHANGE);
        sequences_gather(all, work->run->comm);
        phase_enter(PHASE_WRITE);
        if (st == OK && work->run->rank == 0 && all->count > 0)
            st = tokens_append(writer, (enum tokens_part)part, all->count, all->ids,
                               all->origins);
        work->sequences += all->count;
        all->count = 0;
        phase_enter(PHASE_COMPUTE);
    }
    return agree(work->run->comm, st);
}

/* Text to sequences.  Collective. */
static enum status tokenize_text(struct work *work, struct tokens_writer *writer,
                                 const char *path, int file)
{
    const double since = MPI_Wtime();
    const struct suite_corpus *corpus = &work->suite.corpus;
    const double bad_share = corpus->bad == BAD_SKIP ? corpus->bad_share : 0;
    struct documents documents = {0};
    bool more = true;
    enum status st;

    TRY_ALL(work->run->comm, documents_open(&documents, path, bad_share, is_chat(work)));
    while (more) {
        TRY_ALL(work->run->comm, take_documents(work, &documents, file, &more));
        TRY(write_round(work, writer));
        run_progress(work->run, path, since, 0, documents_position(&documents) >> 10,
                     documents.bytes >> 10, "kB");
    }
    if (documents.without_text > 0)
        run_note(work->run, "%s: skipped %lld of %lld lines, which have no document", path,
                 (long long)documents.without_text, (long long)documents.number);
done:
    documents_close(&documents);
    return st;
}

/* One ready sequence must start with BOS and hold ids of the vocabulary. */
static enum status check_ids(const struct work *work, const int32_t *ids, int64_t row,
                             const char *path)
{
    if (ids[0] != work->special.bos)
        return refuse(E_FORMAT, "sequence %lld of %s starts with id %d, but must start with the "
                      "model's BOS, %d", (long long)row, path, ids[0], work->special.bos);
    for (int64_t i = 0; i < work->suite.corpus.context; i++)
        if (ids[i] < 0 || ids[i] >= work->vocabulary)
            return refuse(E_FORMAT, "sequence %lld of %s holds the id %d, but the model's "
                          "vocabulary has %d; take ids of this model's tokenizer",
                          (long long)row, path, ids[i], work->vocabulary);
    return OK;
}

/* Read this rank's run of a round's ready sequences; each counts as a document.  Local. */
static enum status take_ids(struct work *work, hid_t set, const char *path, int file,
                            struct range round)
{
    const int64_t context = work->suite.corpus.context;
    const struct range part = split_range(round.end - round.first, work->run->rank,
                                          work->run->size);
    const int64_t first = round.first + part.first, count = part.end - part.first;
    int32_t *ids = allocate(count * context, sizeof *ids);
    enum status st;

    TRY(h5_read_rows(set, path, H5T_NATIVE_INT32, first, count, context, ids));
    for (int64_t i = 0; i < count; i++) {
        const int32_t *sequence = ids + i * context;
        TRY(check_ids(work, sequence, first + i, path));
        sequences_append(&work->parts[part_of(work, sequence, (size_t)context * sizeof *ids)],
                         sequence, (struct sequence_origin){ document_id(file, first + i), 0 });
    }
done:
    free(ids);
    return st;
}

static enum status open_ids(hid_t *file, hid_t *set, const char *path, int64_t context,
                            int64_t *sequences)
{
    int64_t columns;
    enum status st;

    TRY(h5_open(file, path));
    TRY(h5_shape(*file, path, "tokens", sequences, &columns));
    REQUIRE(columns == context, E_FORMAT, "the sequences of %s have %lld ids, but corpus.context "
            "is %lld", path, (long long)columns, (long long)context);
    *set = H5Dopen2(*file, "tokens", H5P_DEFAULT);
    TRY(*set < 0 ? h5_refuse(E_FORMAT, "read", path) : OK);
done:
    return st;
}

/* Ready ids to sequences.  Collective. */
static enum status tokenize_ids(struct work *work, struct tokens_writer *writer,
                                const char *path, int file)
{
    const int64_t step = (int64_t)TOKENIZE_ROUND * work->run->size;
    const double since = MPI_Wtime();
    hid_t ids = -1, set = -1;
    int64_t sequences = 0;
    enum status st;

    TRY_ALL(work->run->comm, open_ids(&ids, &set, path, work->suite.corpus.context, &sequences));
    for (int64_t block = 0; block < split_blocks(sequences, step); block++) {
        const struct range round = split_block(sequences, step, block);
        TRY_ALL(work->run->comm, take_ids(work, set, path, file, round));
        TRY(write_round(work, writer));
        run_progress(work->run, path, since, 0, round.end, sequences, "sequences");
    }
done:
    if (set >= 0)
        H5Dclose(set);
    h5_close(&ids, path, OK);
    return st;
}

/* Local. */
static enum status check_disk(const char *path, const char *shard)
{
    int64_t bytes;
    enum status st;

    TRY(file_size(path, &bytes));
    TRY(file_check_disk(shard, tokenize_stage_least_bytes(bytes), "tokenize"));
done:
    return st;
}

/* One corpus file to one token shard.  Collective. */
static enum status tokenize_file(struct work *work, const char *path, int file)
{
    const struct identity identity = identities_tokens(&work->identities, file);
    struct tokens_writer writer = {0};
    char shard[PATH_LENGTH];
    enum status st;

    paths_tokens(shard, &work->suite, file);
    if (comm_file_exists(work->run->comm, shard))
        return OK;
    TRY_ROOT(work->run->comm, check_disk(path, shard));
    for (int part = 0; part < TOKENS_PARTS; part++)
        work->parts[part] = (struct sequences){ .context = work->suite.corpus.context,
                                                .special = work->special };
    TRY_ROOT(work->run->comm, tokens_create(&writer, shard, work->suite.corpus.context,
                                            work->special, is_chat(work), path, &identity));
    TRY(corpus_is_ids(path) ? tokenize_ids(work, &writer, path, file)
                            : tokenize_text(work, &writer, path, file));
    run_note(work->run, "%s: %lld sequences for training, %lld held out", path,
             (long long)writer.parts[TOKENS_TRAIN].sequences,
             (long long)writer.parts[TOKENS_HOLDOUT].sequences);
done:
    for (int part = 0; part < TOKENS_PARTS; part++)
        sequences_free(&work->parts[part]);
    return agree(work->run->comm, tokens_publish(&writer, st));
}

/* config.json gives the longest context and the special ids, which special_settle() completes.
 * Local. */
static enum status read_model(struct work *work)
{
    const char *folder = work->suite.model.path;
    struct lm_config config;
    enum status st;

    TRY(config_read(&config, folder));
    REQUIRE(work->suite.corpus.context <= config.positions, E_USAGE, "corpus.context is %lld, but "
            "the model in %s was made for sequences of at most %d tokens; set corpus.context to "
            "that or less", (long long)work->suite.corpus.context, folder, config.positions);
    work->vocabulary = config.vocabulary;
    work->special = (struct special_tokens){ config.bos, config.eos, config.pad };
done:
    return st;
}

/* Text needs a tokenizer, which must belong to the model.  Local. */
static enum status open_tokenizer(struct work *work)
{
    const struct suite *suite = &work->suite;
    char path[PATH_LENGTH];
    bool text = false;
    enum status st = OK;

    for (int file = 0; file < work->corpus.files; file++)
        text = text || !corpus_is_ids(work->corpus.paths[file]);
    if (!text)
        return OK;
    tokenizer_path(path, suite->model.tokenizer, suite->model.path);
    TRY(tokenizer_open(&work->tokenizer, path));
    REQUIRE(work->tokenizer.vocabulary <= work->vocabulary, E_USAGE, "tokenizer %s has %d ids, but "
            "the model in %s knows %d: they do not belong together", path,
            work->tokenizer.vocabulary, suite->model.path, work->vocabulary);
    if (is_chat(work))
        TRY(chat_open(&work->chat, &suite->corpus, &work->tokenizer));
done:
    return st;
}

/* Collective. */
static enum status check_memory(const struct work *work)
{
    const struct run *run = work->run;
    const struct stage_memory need = tokenize_stage_memory(&work->suite, &work->corpus, run->size);

    return memory_check(run->comm, need.rank + (run->rank == 0 ? need.node : 0), "tokenize");
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct work work = { .run = &run };
    enum status st;

    TRY(run_start(&run, "tokenize", HELP, argc, argv));
    TRY(suite_read(&work.suite, &run));
    work.holdout_below = (uint64_t)ldexp(work.suite.corpus.holdout, 64);
    TRY_ALL(run.comm, corpus_list(&work.corpus, work.suite.corpus.files,
                                  work.suite.corpus.files_count));
    TRY(identities_open(&work.identities, run.comm, &work.suite));
    TRY_ALL(run.comm, read_model(&work));
    TRY_ALL(run.comm, open_tokenizer(&work));
    TRY_ALL(run.comm, special_settle(&work.special, &work.tokenizer, work.suite.model.path));
    TRY(run_check_task(&run, work.corpus.files));
    TRY(check_memory(&work));
    for (int file = 0; file < work.corpus.files; file++)
        if (run_does_task(&run, file))
            TRY(tokenize_file(&work, work.corpus.paths[file], file));
    run_summary(&run, (double)(work.sequences * work.suite.corpus.context), "tokens",
                (double)(work.sequences * work.suite.corpus.context) * sizeof(int32_t));
done:
    identities_free(&work.identities);
    corpus_free(&work.corpus);
    chat_close(&work.chat);
    tokenizer_close(&work.tokenizer);
    suite_free(&work.suite);
    return run_finish(&run, st);
}

/* A training that was written to disk and read again, also on another number of ranks, goes
 * on as if nothing had been; its log has every step once; its batches are the stream's rows. */
#include "base/allocate.h"
#include "sae/saefile.h"
#include "shard/activation_writer.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "tests/ranked/ranked.h"
#include "tests/synthetic.h"
#include "train/batch_reader.h"
#include "train/publish.h"
#include "train/resume.h"
#include "train/steplog.h"

#include <math.h>

enum { INPUTS = 200, LATENTS = 300, BATCH = 150, STEPS = 6 };

static const struct recipe RECIPE = {
    .architecture = ARCHITECTURE_JUMPRELU, .steps = STEPS, .sparsity = 0.03,
    .train = { .batch = BATCH, .learning_rate = 0.01, .bandwidth = 0.05, .threshold = 0.04,
               .beta1 = 0.5, .beta2 = 0.999, .epsilon = 1e-8, .dead_after = BATCH },
};

static const struct shape SHAPE = { INPUTS, INPUTS, LATENTS };

static void train(struct training *training, int64_t steps)
{
    struct step memory = {0};
    struct step_report report;
    struct step_needs needs = {0};
    float *x = allocate(BATCH * INPUTS, sizeof *x);
    const struct packed_rows rows = { x, STORE_F32, INPUTS, 1, NULL };

    training->list_capacity = BATCH * LATENT_TILE / 2;  /* several passes while many are active */
    step_needs_add(&needs, &training->recipe, SHAPE);
    step_make(&memory, training->comm, &needs);
    while (training->step < steps) {
        synthetic_rows(x, training->step * BATCH, BATCH, INPUTS);
        CHECK(step_run(&memory, training, &rows, &rows, &report) == OK);
    }
    step_free(&memory);
    free(x);
}

/* Does this rank hold the same bits as one rank that holds all? */
static bool same(const struct training *part, const struct training *whole)
{
    bool same = part->step == whole->step && part->density == whole->density
                && memcmp(part->rows_since_active, whole->rows_since_active,
                          LATENTS * sizeof *whole->rows_since_active) == 0;

    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &part->tensors[i], *w = &whole->tensors[i];
        const int64_t width = t->own_columns.end - t->own_columns.first;
        for (int64_t row = t->own_rows.first; row < t->own_rows.end; row++) {
            const int64_t mine = (row - t->own_rows.first) * width;
            const int64_t its = row * t->columns + t->own_columns.first;
            const size_t bytes = (size_t)width * sizeof(float);
            same &= memcmp(t->value + mine, w->value + its, bytes) == 0
                    && memcmp(t->mean + mine, w->mean + its, bytes) == 0
                    && memcmp(t->square + mine, w->square + its, bytes) == 0;
        }
    }
    return same;
}

static const struct checkpoint_source
    SOURCE = { 77, { "train/res.00/w8", 5, "", "saes" } },
    OTHER_DATA = { 78, { "train/res.00/w8", 5, "", "saes" } },
    OTHER_PLACE = { 77, { "train/res.00/w9", 5, "", "saes" } },
    OTHER_RUN = { 77, { "train/res.00/w8", 6, "", "saes" } };

/* On all ranks: three steps, to disk; then on each alone, and on all, the other three. */
static void goes_on_on_any_number_of_ranks(const struct ranked *here)
{
    struct training first = {0}, alone = {0}, together = {0}, undisturbed = {0};
    struct recipe other = RECIPE;
    struct resumption found;
    char stem[PATH_LENGTH];

    path_print(stem, "%s/sae", here->folder);
    training_make(&first, MPI_COMM_WORLD, &RECIPE, SHAPE);
    train(&first, STEPS / 2);
    CHECK(resume_save(&first, &SOURCE, stem) == OK);

    training_make(&undisturbed, MPI_COMM_SELF, &RECIPE, SHAPE);
    train(&undisturbed, STEPS);
    training_make(&alone, MPI_COMM_SELF, &RECIPE, SHAPE);
    CHECK(resume_load(&alone, &SOURCE, stem, &found) == OK && found.found);
    train(&alone, STEPS);
    CHECK(same(&alone, &undisturbed));
    training_make(&together, MPI_COMM_WORLD, &RECIPE, SHAPE);
    CHECK(resume_load(&together, &SOURCE, stem, &found) == OK);
    train(&together, STEPS);
    CHECK(same(&together, &undisturbed));

    CHECK(resume_load(&together, &OTHER_DATA, stem, &found) == E_USAGE);
    refuse_clear();
    CHECK(resume_load(&together, &OTHER_PLACE, stem, &found) == E_USAGE);
    CHECK(strstr(refuse_reason(), "made as train/res.00/w8 of a run folder, but train/res.00/w9 "
                 "belongs there") != NULL);
    refuse_clear();
    CHECK(resume_load(&together, &OTHER_RUN, stem, &found) == E_USAGE);
    CHECK(strstr(refuse_reason(), "a file of another run") != NULL);
    refuse_clear();
    other.train.learning_rate *= 2;
    training_free(&together);
    training_make(&together, MPI_COMM_WORLD, &other, SHAPE);
    CHECK(resume_load(&together, &SOURCE, stem, &found) == E_USAGE);     /* another recipe */
    refuse_clear();
    training_free(&together);
    training_free(&alone);
    training_free(&undisturbed);
    training_free(&first);
}

/* Flip a bit in the middle of a checkpoint.  Collective. */
static void damage(const struct ranked *here, const char *stem, int age)
{
    char path[PATH_LENGTH];
    int64_t bytes;

    resume_path(path, stem, age);
    MPI_Barrier(MPI_COMM_WORLD);
    if (here->rank == 0) {
        CHECK(file_size(path, &bytes) == OK);
        flip_bit(path, 4 * bytes);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

/* At steps 1, 2 and 3 there were checkpoints; that of step 3 is damaged, then that of step 2. */
static void falls_back_on_the_one_before(const struct ranked *here)
{
    struct training training = {0};
    struct resumption found;
    char stem[PATH_LENGTH], before[PATH_LENGTH];

    path_print(stem, "%s/two", here->folder);
    resume_path(before, stem, 1);
    training_make(&training, MPI_COMM_WORLD, &RECIPE, SHAPE);
    CHECK(resume_load(&training, &SOURCE, stem, &found) == OK && !found.found);
    for (int step = 1; step <= 3; step++) {
        train(&training, step);
        CHECK(resume_save(&training, &SOURCE, stem) == OK);
    }
    damage(here, stem, 0);
    CHECK(resume_load(&training, &SOURCE, stem, &found) == OK && found.found);
    CHECK(training.step == 2 && strstr(found.damage, "two.checkpoint.h5 is damaged") != NULL);
    CHECK(!file_exists(before));
    CHECK(resume_load(&training, &SOURCE, stem, &found) == OK && training.step == 2);
    CHECK(found.damage[0] == '\0');

    /* Killed between the two renames of the next: only the one before is there. */
    MPI_Barrier(MPI_COMM_WORLD);
    if (here->rank == 0) {
        char newest[PATH_LENGTH];
        resume_path(newest, stem, 0);
        CHECK(rename(newest, before) == 0);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    training.step = 0;
    CHECK(resume_load(&training, &SOURCE, stem, &found) == OK && training.step == 2);

    CHECK(resume_save(&training, &SOURCE, stem) == OK);
    damage(here, stem, 0);
    damage(here, stem, 1);
    CHECK(resume_load(&training, &SOURCE, stem, &found) == E_FORMAT);
    refuse_clear();
    training_free(&training);
}

/* A number that is not finite, on whichever rank: what is there stays. */
static void does_not_save_what_is_not_finite(const struct ranked *here)
{
    struct training training = {0};
    struct resumption found;
    char stem[PATH_LENGTH];

    path_print(stem, "%s/finite", here->folder);
    training_make(&training, MPI_COMM_WORLD, &RECIPE, SHAPE);
    train(&training, 1);
    CHECK(resume_save(&training, &SOURCE, stem) == OK);
    train(&training, 2);
    if (here->rank == here->size - 1)
        training.tensors[ENCODER].value[5] = NAN;
    CHECK(resume_save(&training, &SOURCE, stem) == E_NUMERIC);
    refuse_clear();
    CHECK(resume_load(&training, &SOURCE, stem, &found) == OK && training.step == 1);
    training_free(&training);
}

/* The file's parameters, folded, are those of the training by the formula of sae.h. */
static void publishes_the_parameters(const struct ranked *here)
{
    const double scale = 3;
    struct training training = {0}, whole = {0};
    struct sae sae = {0}, want = {0};
    char path[PATH_LENGTH];
    struct recipe logarithms = RECIPE;

    logarithms.train.threshold_form = THRESHOLD_LOG;
    path_print(path, "%s/sae.h5", here->folder);
    training_make(&training, MPI_COMM_WORLD, &logarithms, SHAPE);
    training_make(&whole, MPI_COMM_SELF, &logarithms, SHAPE);
    train(&training, 2);
    train(&whole, 2);
    CHECK(publish_sae(&training,
                      &(struct sae_origin){ .scale = scale,
                                            .target_scale = scale,
                                            .variance = 1,
                                            .identity = &SOURCE.identity },
                      path)
          == OK);
    CHECK(saefile_read(&sae, path) == OK);
    sae_make(&want, INPUTS, INPUTS, LATENTS);
    memcpy(want.encoder, whole.tensors[ENCODER].value, sizeof(float) * LATENTS * INPUTS);
    memcpy(want.decoder, whole.tensors[DECODER].value, sizeof(float) * LATENTS * INPUTS);
    memcpy(want.encoder_bias, whole.tensors[ENCODER_BIAS].value, sizeof(float) * LATENTS);
    memcpy(want.decoder_bias, whole.tensors[DECODER_BIAS].value, sizeof(float) * INPUTS);
    for (int i = 0; i < LATENTS; i++)
        want.threshold[i] = expf(whole.tensors[THRESHOLD].value[i]);
    sae_fold(&want, (struct sae_units){ scale, scale, true });
    CHECK(sae.inputs == INPUTS && sae.latents == LATENTS);
    CHECK(memcmp(sae.encoder, want.encoder, sizeof(float) * LATENTS * INPUTS) == 0);
    CHECK(memcmp(sae.decoder, want.decoder, sizeof(float) * LATENTS * INPUTS) == 0);
    CHECK(memcmp(sae.encoder_bias, want.encoder_bias, sizeof(float) * LATENTS) == 0);
    CHECK(memcmp(sae.decoder_bias, want.decoder_bias, sizeof(float) * INPUTS) == 0);
    CHECK(memcmp(sae.threshold, want.threshold, sizeof(float) * LATENTS) == 0);
    sae_free(&want);
    sae_free(&sae);
    training_free(&whole);
    training_free(&training);
}

static void add_steps(struct steplog *log, int64_t first, int64_t end)
{
    for (int64_t step = first; step < end; step++)
        steplog_add(log, &(struct step_report){ .step = step, .mse = 0.5 }, (step + 1) * BATCH, 1);
}

/* Five steps are logged, the checkpoint stands at three, the run is killed, goes on. */
static void log_has_every_step_once(const struct ranked *here)
{
    struct steplog log = {0};
    char path[PATH_LENGTH], broken[PATH_LENGTH], whole[PATH_LENGTH];
    char *broken_text = NULL, *whole_text = NULL;
    int64_t broken_size, whole_size;

    path_print(broken, "%s/broken-%d.tsv", here->folder, here->rank);
    path_print(whole, "%s/whole-%d.tsv", here->folder, here->rank);
    CHECK(steplog_open(&log, whole, 0) == OK);
    add_steps(&log, 0, 7);
    CHECK(steplog_publish(&log, &SOURCE.identity) == OK);

    CHECK(steplog_open(&log, broken, 0) == OK);
    add_steps(&log, 0, 5);
    steplog_close(&log);
    CHECK(steplog_open(&log, broken, 3) == OK);
    add_steps(&log, 3, 7);
    CHECK(steplog_publish(&log, &SOURCE.identity) == OK);
    /* Published, but the autoencoder was not: the log is there and goes on all the same. */
    CHECK(steplog_open(&log, broken, 6) == OK);
    add_steps(&log, 6, 7);
    CHECK(steplog_publish(&log, &SOURCE.identity) == OK);
    CHECK(file_read(broken, &broken_text, &broken_size) == OK);
    CHECK(file_read(whole, &whole_text, &whole_size) == OK);
    CHECK(broken_size == whole_size && memcmp(broken_text, whole_text, (size_t)whole_size) == 0);

    path_print(path, "%s/short-%d.tsv", here->folder, here->rank);
    CHECK(steplog_open(&log, path, 0) == OK);
    add_steps(&log, 0, 2);
    steplog_close(&log);
    CHECK(steplog_open(&log, path, 3) == E_FORMAT);
    refuse_clear();
    steplog_close(&log);
    free(broken_text);
    free(whole_text);
}

enum { ROWS = 2 * CHUNK_ROWS + 100 };

/* Two shards; batches of other lengths than chunks, some of which go round the end. */
static void feeds_the_rows_in_order(const struct ranked *here)
{
    const struct stream stream = { { SITE_RES, 1 }, INPUTS, STORE_F32 };
    float *rows = allocate(ROWS * INPUTS, sizeof *rows);
    struct row_origin *origins = allocate(ROWS, sizeof *origins);
    struct batch_reader feed = {0};
    char path[PATH_LENGTH];
    double squares = 0;

    synthetic_rows(rows, 0, ROWS, INPUTS);
    for (int64_t k = 0; k < ROWS * INPUTS; k++)
        squares += pow((double)rows[k], 2);
    for (int shard = 0; shard < 2; shard++) {
        struct activation_writer writer = {0};
        const int64_t first = shard * CHUNK_ROWS, count = shard == 0 ? CHUNK_ROWS : ROWS - first;
        const struct range mine = { 0, here->rank == 0 ? count : 0 };
        path_print(path, "%s/%05d.h5", here->folder, shard);
        CHECK(activation_writer_create(&writer, MPI_COMM_WORLD, path, stream, count,
                                       &SOURCE.identity) == OK);
        CHECK(activation_writer_write(&writer,
                                      here->rank == 0 ? mine : (struct range){ count, count },
                                      rows + first * INPUTS, origins + first)
              == OK);
        CHECK(activation_writer_close(&writer, OK) == OK);
    }
    CHECK(batch_reader_open(&feed, MPI_COMM_WORLD, here->folder, NULL, 700) == OK);
    CHECK(fabs(feed.scale / sqrt(squares / ROWS) - 1) < 1e-9);
    for (int64_t t = 0; t < 9; t += t == 4 ? 3 : 1) {       /* 4, then 7: not the next */
        for (int64_t time = 0; time <= t % 2; time++)           /* some again */
            CHECK(batch_reader_read(&feed, t) == OK);
        for (int64_t row = 0; row < 700; row++) {
            float x[INPUTS];
            packed_rows_load(x, INPUTS, &feed.batch, (struct range){ row, row + 1 },
                      (struct range){ 0, INPUTS });
            for (int64_t j = 0; j < INPUTS; j++)
                CHECK(x[j] == rows[(t * 700 + row) % ROWS * INPUTS + j] * (float)(1 / feed.scale));
        }
    }
    batch_reader_close(&feed);
    free(origins);
    free(rows);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);

    goes_on_on_any_number_of_ranks(&here);
    falls_back_on_the_one_before(&here);
    does_not_save_what_is_not_finite(&here);
    publishes_the_parameters(&here);
    log_has_every_step_once(&here);
    feeds_the_rows_in_order(&here);
    return ranked_finish(&here);
}

/* The autoencoders of a release: order, places, and refusals. */
#include "base/checksum.h"
#include "base/file.h"
#include "release/entries.h"
#include "suite/paths.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char RUN[] = "build/scratch/entries";

static struct suite suite = { .run = RUN };
static const struct identities identities = { .suite = &suite, .shuffle = 7 };
static const struct suite_saes group;
static struct sae_task res_saes[] = {
    { .name = "w16384-l0.1", .group = &group, .width = 16384, .sparsity = 0.1 },
    { .name = "w16384-l0.2", .group = &group, .width = 16384, .sparsity = 0.2 },
    { .name = "w16384-t70", .group = &group, .width = 16384, .target_l0 = 70 },
    { .name = "w512-t70", .group = &group, .width = 512, .target_l0 = 70,
      .architecture = ARCHITECTURE_JUMPRELU,
      .target = { SITE_RES, 11 } },
};
static struct sae_task attn_saes[] = { { .name = "w1024-t5", .group = &group, .width = 1024,
                                         .target_l0 = 5 } };
static struct tap_task taps[] = {
    { .tap = { SITE_ATTN, 3 }, .saes = attn_saes, .count = 1 },
    { .tap = { SITE_RES, 11 }, .saes = res_saes, .count = 4 },
};
static const struct tasks tasks = { .train = taps, .taps_count = 2 };

/* With their checksum; `text` ends with "\n}". */
static void write_scores(struct tap tap, const char *name, const char *text)
{
    char path[PATH_LENGTH], *whole = checksum_json(text);

    paths_scores(path, &suite, tap, name);
    assert_int_equal(file_write(path, whole, (int64_t)strlen(whole)), OK);
    free(whole);
}

static void write_good_scores(struct tap tap, const struct sae_task *task, double l0)
{
    const struct identity identity = identities_scores(&identities, tap, task);
    char text[1024];

    snprintf(text, sizeof text,
             "{\"place\": \"%s\", \"identity\": \"%016llx\", "
             "\"tokens\": 2040, \"ce\": 2.8, \"ce_spliced\": 3, \"delta_loss\": 0.2, "
             "\"loss_recovered_zero\": 0.96, \"kl\": 0.1, \"l0\": %g, \"fvu\": null, "
             "\"cosine\": 0.9, \"gamma\": 1, \"never_active\": 7, "
             "\"dense_above_10_percent\": 4\n}",
             identity.place, (unsigned long long)identity.hash, l0);
    write_scores(tap, task->name, text);
}

static void write_all(void)
{
    write_good_scores(taps[0].tap, &attn_saes[0], 5.4);
    write_good_scores(taps[1].tap, &res_saes[0], 120.5);    /* rounds to even: 120 */
    write_good_scores(taps[1].tap, &res_saes[1], 69.6);
    write_good_scores(taps[1].tap, &res_saes[2], 70.1);
    write_good_scores(taps[1].tap, &res_saes[3], 70.2);
}

/* Residual stream first; of two that round to the same L0 both carry their own names. */
static void gives_each_its_place(void **state)
{
    static const char *const WANT[] = {
        "res/layer_11/width_512/average_l0_70",
        "res/layer_11/width_16k/average_l0_70_w16384-l0.2",
        "res/layer_11/width_16k/average_l0_70_w16384-t70",
        "res/layer_11/width_16k/average_l0_120",
        "attn/layer_3/width_1k/average_l0_5",
    };
    struct entries entries;

    (void)state;
    write_all();
    assert_int_equal(entries_read(&entries, &identities, &tasks), OK);
    assert_int_equal(entries.count, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(entries.entry[i].folder, WANT[i]);
    assert_true(entries_score(&entries.entry[0], "l0") == 70.2);
    assert_true(isnan(entries_score(&entries.entry[0], "fvu")));
    entries_free(&entries);
}

static void writes_a_table(void **state)
{
    static const char WANT[] =
        "folder\tsite\ttarget\tlayer\trecipe\twidth\tsparsity\ttarget_l0\ttrained_on\ttokens\tce\t"
        "ce_spliced\tdelta_loss\tloss_recovered_zero\tkl\tl0\tfvu\tcosine\tgamma\tnever_active\t"
        "dense_above_10_percent\n"
        "res/layer_11/width_512/average_l0_70\tres\tres\t11\tgemma_scope\t512\t0\t70\t0\t"
        "2040\t2.8\t3\t0.2\t0.96\t0.1\t70.2\tnan\t0.9\t1\t7\t4\n";
    struct entries entries;
    char *text;
    int64_t size;

    (void)state;
    write_all();
    assert_int_equal(entries_read(&entries, &identities, &tasks), OK);
    assert_int_equal(entries_write(&entries, "build/scratch/entries/scores.tsv"), OK);
    assert_int_equal(file_read("build/scratch/entries/scores.tsv", &text, &size), OK);
    assert_memory_equal(text, WANT, sizeof WANT - 1);
    free(text);
    entries_free(&entries);
}

static void assert_refused(enum status code, const char *words)
{
    struct entries entries;

    assert_int_equal(entries_read(&entries, &identities, &tasks), code);
    if (strstr(refuse_reason(), words) == NULL)
        fail_msg("the reason does not say \"%s\": %s", words, refuse_reason());
    entries_free(&entries);
    refuse_clear();
}

static void refuses_missing_and_bad_scores(void **state)
{
    (void)state;
    write_all();
    write_scores(taps[0].tap, "w1024-t5", "{\"tokens\": 1,,\n}");
    assert_refused(E_FORMAT, "evaluate/attn.03/w1024-t5.json is not JSON: line 1");
    write_scores(taps[0].tap, "w1024-t5", "{\"tokens\": 1\n}");
    assert_refused(E_FORMAT, "no number 'ce'");
    assert_int_equal(file_remove("build/scratch/entries/evaluate/attn.03/w1024-t5.json"), OK);
    assert_refused(E_USAGE, "1 of 5 autoencoders have no scores yet");
}

/* Each bit counts. */
static void refuses_scores_that_were_changed(void **state)
{
    char path[PATH_LENGTH], *text;
    int64_t size;

    (void)state;
    write_all();
    paths_scores(path, &suite, taps[0].tap, "w1024-t5");
    assert_int_equal(file_read(path, &text, &size), OK);
    for (int64_t i = 0; i < size; i += 7) {
        text[i] ^= 1;
        assert_int_equal(file_write(path, text, size), OK);
        assert_refused(E_FORMAT, "does not end with the checksum of what is in it");
        text[i] ^= 1;
    }
    assert_int_equal(file_write(path, text, size - 1), OK);
    assert_refused(E_FORMAT, "damaged, cut short or of an older version");
    free(text);
}

/* Of another sparsity, which nothing else in the file tells. */
static void refuses_the_scores_of_another(void **state)
{
    char path[PATH_LENGTH], *text;
    struct sae_task other = res_saes[1];
    int64_t size;

    (void)state;
    write_all();
    paths_scores(path, &suite, taps[1].tap, "w16384-l0.2");
    assert_int_equal(file_read(path, &text, &size), OK);
    paths_scores(path, &suite, taps[1].tap, "w16384-l0.1");
    assert_int_equal(file_write(path, text, size), OK);
    assert_refused(E_USAGE, "w16384-l0.1.json was made as evaluate/res.11/w16384-l0.2.json of");
    write_all();
    other.sparsity = nextafter(other.sparsity, 1);
    write_good_scores(taps[1].tap, &other, 69.6);
    assert_refused(E_USAGE, "w16384-l0.2.json was made from another model");
    free(text);
}

static void names_widths_as_gemma_scope_does(void **state)
{
    char name[16];

    (void)state;
    assert_string_equal(entries_width_name(name, 512), "512");
    assert_string_equal(entries_width_name(name, 1024), "1k");
    assert_string_equal(entries_width_name(name, 16384), "16k");
    assert_string_equal(entries_width_name(name, 65536), "65k");
    assert_string_equal(entries_width_name(name, 131072), "131k");
    assert_string_equal(entries_width_name(name, 1048576), "1m");
}

static int remove_scratch(void **state)
{
    (void)state;
    return file_remove(RUN) != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_its_place),
        cmocka_unit_test(writes_a_table),
        cmocka_unit_test(refuses_missing_and_bad_scores),
        cmocka_unit_test(refuses_scores_that_were_changed),
        cmocka_unit_test(refuses_the_scores_of_another),
        cmocka_unit_test(names_widths_as_gemma_scope_does),
    };

    return cmocka_run_group_tests(tests, NULL, remove_scratch);
}

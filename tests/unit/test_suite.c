/* The suite file: defaults, refusals in words, and jobs/explained.yaml. */
#include "base/file.h"
#include "suite/explain.h"
#include "suite/schema.h"
#include "suite/stages.h"
#include "suite/suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All that must be given, and two lines more than fit on one: the group of autoencoders
 * begins on line 5. */
#define SMALLEST \
    "name: small\n" \
    "model: {path: m}\n" \
    "corpus: {files: [a.txt]}\n" \
    "saes:\n" \
    "  - layers: [all]\n"

static void parse(struct suite *suite, const char *yaml)
{
    refuse_clear();
    if (suite_parse(suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
}

/* The values of arXiv:2408.05147, section 3.2. */
static void defaults_are_gemma_scopes_recipe(void **state)
{
    struct suite suite;

    (void)state;
    parse(&suite, SMALLEST);
    assert_int_equal(suite.saes[0].recipe, ARCHITECTURE_JUMPRELU);
    assert_int_equal(suite.train.batch, 4096);
    assert_true(suite.train.learning_rate == 7e-5);
    assert_int_equal(suite.train.warmup, 1000);
    assert_int_equal(suite.train.sparsity_warmup, 10000);
    assert_true(suite.train.decay == 0 && suite.train.beta1 == 0);
    assert_true(suite.train.beta2 == 0.999 && suite.train.epsilon == 1e-8);
    assert_true(suite.train.bandwidth == 0.001 && suite.train.threshold == 0.001);
    assert_int_equal(suite.corpus.context, 1024);
    assert_int_equal(suite.harvest.sites_count, 3);
    assert_int_equal(suite.harvest.sites[2], SITE_RES);
    assert_string_equal(suite.run, "runs/small");
    assert_string_equal(suite.model.tokenizer, "");
    suite_free(&suite);
}

static void a_given_value_replaces_its_default_alone(void **state)
{
    struct suite suite;

    (void)state;
    parse(&suite, SMALLEST "    target_l0: [20, 2.5]\n"
                           "    widths: [1024, 2e3, 4_096]\n"
                           "  - sparsities: [1e-3]\n"
                           "run: /scratch/here\n"
                           "shuffle: {memory: 512MB, shard: 1_000}\n"
                           "harvest:\n");
    assert_int_equal(suite.saes_count, 2);
    assert_int_equal(suite.saes[0].target_l0_count, 2);
    assert_true(suite.saes[0].target_l0[1] == 2.5);
    assert_int_equal(suite.saes[0].sparsities_count, 0);
    assert_int_equal(suite.saes[0].widths_count, 3);
    assert_int_equal(suite.saes[0].widths[1], 2000);
    assert_int_equal(suite.saes[0].widths[2], 4096);
    assert_int_equal(suite.saes[1].sparsities_count, 1);
    assert_true(suite.saes[1].sparsities[0] == 1e-3);
    assert_int_equal(suite.saes[1].widths[0], 16384);
    assert_string_equal(suite.run, "/scratch/here");
    assert_int_equal(suite.shuffle.memory, 512000000);
    assert_int_equal(suite.shuffle.shard, 1000);
    assert_int_equal(suite.shuffle.mode, SHUFFLE_GLOBAL);
    suite_free(&suite);
}

/* The effective text is a suite file again, and means the same to the last bit. */
static void its_text_gives_the_same_text(void **state)
{
    static const char *const FILES[] = {
        SMALLEST,
        SMALLEST "    target_l0: [20]\n  - widths: [1, 2]\n",
        SMALLEST "run: \"a b: c # \\\"d\\\" \\\\ \\t\"\n"
                 "train: {learning_rate: 0.12345678901234567}\n",
        SMALLEST "run: 'yes'\ntrain: {beta2: 0.3333333333333333, bandwidth: 1e-300}\n",
        SMALLEST "run: '- x'\nharvest: {layers: ['1', 3-5], seed: 123456789012345}\n",
    };

    (void)state;
    for (size_t f = 0; f < sizeof FILES / sizeof *FILES; f++) {
        struct suite first, second;
        parse(&first, FILES[f]);
        parse(&second, first.text);
        assert_string_equal(first.text, second.text);
        assert_string_equal(first.run, second.run);
        assert_memory_equal(&first.train.learning_rate, &second.train.learning_rate, 8);
        assert_memory_equal(&first.train.beta2, &second.train.beta2, 8);
        assert_memory_equal(&first.train.bandwidth, &second.train.bandwidth, 8);
        suite_free(&second);
        suite_free(&first);
    }
}

static void check_explained(const char *path, enum suite_kind kind, const char *command)
{
    char *file, *made;
    int64_t bytes;
    size_t length;

    assert_int_equal(file_read(path, &file, &bytes), OK);
    FILE *out = open_memstream(&made, &length);
    explain_suite(out, kind);
    fclose(out);
    if (strcmp(file, made) != 0)
        fail_msg("refresh it: %s > %s", command, path);
    free(made);
    free(file);
}

static void explained_is_up_to_date(void **state)
{
    (void)state;
    check_explained("jobs/explained.yaml", SUITE_SAES, "bin/saemill explain");
    check_explained("jobs/circuits/explained_circuit.yaml", SUITE_CIRCUIT,
                    "bin/saemill explain circuit");
    check_explained("jobs/interventions/explained_intervene.yaml", SUITE_INTERVENE,
                    "bin/saemill explain intervene");
    check_explained("jobs/inversions/explained_invert.yaml", SUITE_INVERT,
                    "bin/saemill explain invert");
}

/* Taking its optional keys away changes nothing. */
static void explained_shows_every_default(void **state)
{
    struct suite explained, defaults;
    char *file, smallest[1024];
    int64_t bytes;

    (void)state;
    assert_int_equal(file_read("jobs/explained.yaml", &file, &bytes), OK);
    parse(&explained, file);
    snprintf(smallest, sizeof smallest, "name: %s\nmodel: {path: %s}\ncorpus: {files: ['%s']}\n"
             "saes:\n- {}\n", explained.name, explained.model.path, explained.corpus.files[0]);
    parse(&defaults, smallest);
    assert_string_equal(explained.text, defaults.text);
    suite_free(&defaults);
    suite_free(&explained);
    free(file);
}

/* A file for a circuit: its text is a file for a circuit again, with the same defaults, and has no
 * section of autoencoders. */
static void a_circuit_is_all_that_its_file_asks_for(void **state)
{
    struct suite explained, smallest, again;
    char *file;
    int64_t bytes;

    (void)state;
    assert_int_equal(file_read("jobs/circuits/explained_circuit.yaml", &file, &bytes), OK);
    parse(&explained, file);
    parse(&smallest, "name: explained\nmodel: {path: jobs/demo/tiny-gemma2}\n"
                     "circuit: {method: ioi}\n");
    parse(&again, smallest.text);
    assert_int_equal(smallest.kind, SUITE_CIRCUIT);
    assert_int_equal(smallest.saes_count, 0);
    assert_int_equal(smallest.corpus.files_count, 0);
    assert_int_equal(smallest.circuit.count, 100);
    assert_int_equal(smallest.circuit.method, METHOD_IOI);
    assert_string_equal(explained.text, smallest.text);
    assert_string_equal(again.text, smallest.text);
    assert_null(strstr(smallest.text, "train:"));
    for (int stage = 0; stage < STAGES; stage++)
        assert_int_equal(suite_has_stage(&smallest, (enum stage)stage), stage == STAGE_CIRCUIT);
    suite_free(&again);
    suite_free(&smallest);
    suite_free(&explained);
    free(file);
}

/* The template's lines and braces come back from the text of the suite. */
static void a_template_is_kept_as_it_is(void **state)
{
    struct suite suite, again;

    (void)state;
    parse(&suite, "name: n\nmodel: {path: m}\nintervene:\n  method: unlearning\n"
                  "  template: \" {question}\\nA. {A}\\n\\\"Answer\\\":\"\n");
    assert_int_equal(suite.kind, SUITE_INTERVENE);
    assert_string_equal(suite.intervene.template, " {question}\nA. {A}\n\"Answer\":");
    parse(&again, suite.text);
    assert_string_equal(again.intervene.template, suite.intervene.template);
    assert_string_equal(again.text, suite.text);
    assert_null(strstr(suite.text, "circuit"));
    suite_free(&again);
    suite_free(&suite);
}

/* And the text of autoencoders is what it was without circuits. */
static void autoencoders_know_of_no_circuit(void **state)
{
    struct suite suite;

    (void)state;
    parse(&suite, SMALLEST);
    assert_int_equal(suite.kind, SUITE_SAES);
    assert_null(strstr(suite.text, "circuit"));
    for (int stage = 0; stage < STAGES; stage++)
        assert_int_equal(suite_has_stage(&suite, (enum stage)stage), stage <= STAGE_RELEASE);
    suite_free(&suite);
}

/* Each kind of task file has a section, and a stage of its own whose folder nobody else has. */
static void a_kind_is_known_by_its_section(void **state)
{
    (void)state;
    assert_int_equal(kinds_find("circuit"), SUITE_CIRCUIT);
    assert_int_equal(kinds_find("saes"), SUITE_KINDS);
    assert_int_equal(kinds_find(""), SUITE_KINDS);
    for (int kind = SUITE_SAES + 1; kind < SUITE_KINDS; kind++) {
        const struct suite suite = { .kind = (enum suite_kind)kind };
        const char *section = kinds_section(suite.kind);
        assert_int_equal(kinds_find(section), kind);
        assert_string_equal(schema_section_named(section)->name, section);
        assert_true(schema_section_is_of(schema_section_named(section), suite.kind));
        assert_false(schema_section_is_of(schema_section_named(section), SUITE_SAES));
        assert_string_equal(stage_name(stage_last(&suite)), section);
    }
    assert_int_equal(stage_last(&(struct suite){ .kind = SUITE_SAES }), STAGE_RELEASE);
}

/* As in a shell; the effective text has the outcome, which is read as it is. */
static void paths_are_expanded(void **state)
{
    static const struct { const char *written, *path; } CASES[] = {
        { "~/x", "/home/u/x" }, { "'~'", "/home/u" }, { "$SCRATCH/x", "/s c/$x" "/x" },
        { "a/${SCRATCH}b$SCRATCH", "a//s c/$xb/s c/$x" }, { "a/~/$$HOME", "a/~/$HOME" },
        { "./~x", "./~x" },
    };
    struct suite suite, again;

    (void)state;
    setenv("HOME", "/home/u", 1);
    setenv("SCRATCH", "/s c/$x", 1);
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, "name: n\nrun: %s\nmodel: {path: \"%s\", tokenizer: \"%s\", "
                 "config: \"%s\"}\ncorpus: {files: [\"%s\"]}\nsaes: [{}]\n", CASES[c].written,
                 CASES[c].path[0] == '/' && CASES[c].written[0] == '\'' ? "~" : CASES[c].written,
                 "$$", "~/c", "$SCRATCH/*.txt");
        parse(&suite, yaml);
        assert_string_equal(suite.run, CASES[c].path);
        assert_string_equal(suite.model.path, CASES[c].path);
        assert_string_equal(suite.model.tokenizer, "$");
        assert_string_equal(suite.model.config, "/home/u/c");
        assert_string_equal(suite.corpus.files[0], "/s c/$x/*.txt");
        parse(&again, suite.text);
        assert_string_equal(again.run, suite.run);
        assert_string_equal(again.text, suite.text);
        suite_free(&again);
        suite_free(&suite);
    }
}

static void refuses_long_paths(void **state)
{
    static const char *const KEYS[] = {
        "run: %s\n" SMALLEST,
        "name: n\nmodel: {path: %s}\n",
        "name: %s\n",
        "name: n\nmodel: {path: m, tokenizer: %s}\n",
        "name: n\nmodel: {path: m, config: %s}\n",
        "name: n\nmodel: {path: m}\ncorpus: {files: [%s]}\nsaes: [{}]\n",
    };
    char longest[1101], yaml[2048];

    (void)state;
    for (size_t k = 0; k < sizeof KEYS / sizeof *KEYS; k++)
        for (size_t length = 768; length <= 1100; length += 83) {
            struct suite suite;
            memset(longest, 'x', length);
            longest[length] = '\0';
            snprintf(yaml, sizeof yaml, KEYS[k], longest);
            refuse_clear();
            assert_int_equal(suite_parse(&suite, yaml, "x.yaml"), E_USAGE);
            assert_non_null(strstr(refuse_reason(), "at most"));
            suite_free(&suite);
        }
    refuse_clear();
}

/* One clear sentence each: the file, the line, what was found, what would be right. */
static const struct { const char *yaml, *words[3]; } REFUSALS[] = {
    { "", { "x.yaml:1", "name is missing" } },
    { "name: small\n", { "x.yaml:1", "model.path is missing", "checkpoint" } },
    { "name: a\n\nmodel:\n  precision: f32\n", { "x.yaml:3", "model.path is missing" } },
    { "name: a\nmodel: {path: m}\ncorpus: {files: [a]}\n", { "x.yaml", "'saes' is missing" } },
    { SMALLEST "trian: {}\n", { "x.yaml:6", "'trian' is not a key", "did you mean 'train'" } },
    { SMALLEST "train:\n  btch: 3\n", { "x.yaml:7", "'btch' is not a key of 'train'",
                                        "did you mean 'batch'" } },
    { SMALLEST "batch: 3\n", { "x.yaml:6", "'batch' is not a key", "one under 'train'" } },
    { SMALLEST "  - {width: [3]}\n", { "x.yaml:6", "'width' is not a key of 'saes'",
                                       "did you mean 'widths'" } },
    { SMALLEST "name: again\n", { "x.yaml:6", "'name' is given twice" } },
    { SMALLEST "train: {batch: many}\n", { "x.yaml:6", "'batch' is 'many'",
                                           "an integer from 1 up to 16777216" } },
    { SMALLEST "train: {batch: 1.5}\n", { "x.yaml:6", "'batch' is '1.5'", "an integer" } },
    { SMALLEST "train: {batch: 0x10}\n", { "x.yaml:6", "'batch' is '0x10'", "an integer" } },
    { SMALLEST "train:\n  batch:\n", { "x.yaml:7", "'batch' is empty", "an integer" } },
    { SMALLEST "train: {batch: 0}\n", { "x.yaml:6", "'batch' is '0'", "from 1" } },
    { SMALLEST "train: {batch: [1]}\n", { "x.yaml:6", "'batch' must be a single value" } },
    { SMALLEST "train: {batch: 5GB}\n", { "x.yaml:6", "'batch' is '5GB'" } },
    { SMALLEST "train: {beta2: 1}\n", { "x.yaml:6", "'beta2' is '1'", "less than 1" } },
    { SMALLEST "train: {bandwidth: 0}\n", { "x.yaml:6", "'bandwidth' is '0'", "above 0" } },
    { SMALLEST "train: {decay: 1.01}\n", { "x.yaml:6", "'decay' is '1.01'",
                                            "from 0 up to 1" } },
    { SMALLEST "train: {decay: nan}\n", { "x.yaml:6", "'decay' is 'nan'", "a number" } },
    { SMALLEST "train: {decay: inf}\n", { "x.yaml:6", "'decay' is 'inf'", "a number" } },
    { SMALLEST "train: {precision: f16}\n", { "x.yaml:6", "'precision' is 'f16'",
                                               "one of f32, bf16" } },
    { SMALLEST "    recipe: top\n", { "x.yaml:6", "'recipe' is 'top'", "gemma_scope" } },
    { SMALLEST "shuffle: {mode: bucke}\n", { "x.yaml:6", "'mode' is 'bucke'",
                                             "one of global, bucket" } },
    { SMALLEST "shuffle: {memory: 1XB}\n", { "x.yaml:6", "'memory' is '1XB'", "like 512MB" } },
    { SMALLEST "shuffle: 3\n", { "x.yaml:6", "'shuffle' must be followed by" } },
    { SMALLEST "harvest: {sites: res}\n", { "x.yaml:6", "'sites' must be a list",
                                            "like 'sites: [attn, mlp, res]'" } },
    { SMALLEST "harvest: {sites: []}\n", { "x.yaml:6", "'sites' must be a list",
                                           "not empty" } },
    { SMALLEST "harvest: {sites: [ress]}\n", { "x.yaml:6", "'sites' is 'ress'", "mlp_in" } },
    { SMALLEST "harvest: {layers: [3-]}\n", { "x.yaml:6", "'layers' is '3-'", "3-9" } },
    { SMALLEST "harvest: {layers: [9-3]}\n", { "x.yaml:6", "'layers' is '9-3'", "3-9" } },
    { SMALLEST "corpus: {files: [a], context: 1}\n", { "x.yaml:6",
                                                          "'corpus' is given twice" } },
    { SMALLEST "\n    widths: [16, 0]\n", { "x.yaml:7", "'widths' is '0'", "from 1" } },
    { SMALLEST "  - target_l0: [3]\n    sparsities: [4]\n", { "x.yaml:6",
                                                               "exclude each other" } },
    { "name: a/b\n", { "x.yaml:1", "'name' is 'a/b'", "letters" } },
    { "name: a\nmodel: &m {path: p}\ncorpus: *m\n", { "x.yaml:3", "aliases" } },
    { "just words\n", { "x.yaml is not a suite file" } },
    { "name: small\nmodel:\n\tpath: m\n", { "x.yaml:3", "this is not YAML", "token" } },
    { SMALLEST "run: $NOT_SET_HERE/x\n", { "x.yaml:6", "'run'", "NOT_SET_HERE is not set" } },
    { SMALLEST "run: ${HOME\n", { "x.yaml:6", "'run'", "$$" } },
    { SMALLEST "run: ~root/x\n", { "x.yaml:6", "another user", "./~root/x" } },
    { SMALLEST "run: a$/x\n", { "x.yaml:6", "write $$" } },
    { SMALLEST "run: \"a\\0b\"\n", { "x.yaml:6", "NUL" } },
    { SMALLEST "train: {batch: [[[[[[[[[[[[[[[[[[[[[[[[[[[[]\n", { "x.yaml:6", "nested" } },
    { "name: a\nmodel: {path: m}\ncorpus: {files: [a]}\nsaes: {}\n",
      { "x.yaml:4", "'saes' must be a list of groups" } },
    { "name: a\nmodel: {path: m}\ncircuit: {count: 3}\n", { "x.yaml:3", "circuit.method" } },
    { "name: a\nmodel: {path: m}\ncircuit: {method: acd}\n", { "x.yaml:3", "'method' is 'acd'",
                                                              "acdc, eap, ioi" } },
    { "name: a\nmodel: {path: m}\ncircuit: {method: ioi}\ntrain: {batch: 3}\n",
      { "x.yaml:4", "'train' and 'circuit'", "two files" } },
    { SMALLEST "circuit: {method: ioi}\n", { "x.yaml:3", "'corpus' and 'circuit'" } },
    { "name: a\nmodel: {path: m}\ncircuit: {method: ioi, head: [1.1]}\n",
      { "x.yaml:3", "'head' is not a key of 'circuit'", "did you mean 'heads'" } },
};

static void refuses_in_words(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof REFUSALS / sizeof *REFUSALS; c++) {
        struct suite suite;
        refuse_clear();
        assert_int_equal(suite_parse(&suite, REFUSALS[c].yaml, "x.yaml"), E_USAGE);
        for (int w = 0; w < 3 && REFUSALS[c].words[w] != NULL; w++)
            if (strstr(refuse_reason(), REFUSALS[c].words[w]) == NULL)
                fail_msg("case %zu lacks \"%s\": %s", c, REFUSALS[c].words[w], refuse_reason());
        suite_free(&suite);
    }
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_gemma_scopes_recipe),
        cmocka_unit_test(a_given_value_replaces_its_default_alone),
        cmocka_unit_test(its_text_gives_the_same_text),
        cmocka_unit_test(explained_is_up_to_date),
        cmocka_unit_test(explained_shows_every_default),
        cmocka_unit_test(a_circuit_is_all_that_its_file_asks_for),
        cmocka_unit_test(autoencoders_know_of_no_circuit),
        cmocka_unit_test(a_kind_is_known_by_its_section),
        cmocka_unit_test(a_template_is_kept_as_it_is),
        cmocka_unit_test(refuses_in_words),
        cmocka_unit_test(paths_are_expanded),
        cmocka_unit_test(refuses_long_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

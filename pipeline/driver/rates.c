#include "driver/rates.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two cores of a virtual machine with AVX-512, November 2026. */
static const struct rates TYPICAL = {
    .stage = {
        [STAGE_TOKENIZE] = { .work = 0.7e6 }, [STAGE_HARVEST] = { .work = 50e9 },
        [STAGE_SHUFFLE] = { .work = 60e6 }, [STAGE_TRAIN] = { .work = 35e9 },
        [STAGE_EVALUATE] = { .work = 60e9 }, [STAGE_RELEASE] = { .work = 50e6 },
    },
    .start = 1, .kept = 0.7, .token_bytes = 1.5, .source = "typical figures, not of this machine",
    .of_others = true,
};

#define OF_STAGE(number, name) \
    { name, offsetof(struct rates, stage[number].work), false }, \
    { name "_task", offsetof(struct rates, stage[number].task), false }

/* The numbers by their names in the file. */
static const struct {
    const char *name;
    size_t      at;
    bool        of_text;    /* true of a text, not of a machine */
} NUMBERS[] = {
    OF_STAGE(STAGE_TOKENIZE, "tokenize"), OF_STAGE(STAGE_HARVEST, "harvest"),
    OF_STAGE(STAGE_SHUFFLE, "shuffle"), OF_STAGE(STAGE_TRAIN, "train"),
    OF_STAGE(STAGE_EVALUATE, "evaluate"), OF_STAGE(STAGE_RELEASE, "release"),
    { "start", offsetof(struct rates, start), false },
    { "kept", offsetof(struct rates, kept), false },
    { "token_bytes", offsetof(struct rates, token_bytes), true },
    { "rows", offsetof(struct rates, rows), true },
};

enum { NUMBERS_COUNT = sizeof NUMBERS / sizeof *NUMBERS };

static double *number(struct rates *rates, int n)
{
    return (double *)((char *)rates + NUMBERS[n].at);
}

void rates_path(char path[PATH_LENGTH])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache != NULL && cache[0] == '/')
        path_print(path, "%s/saemill/rates.json", cache);
    else
        path_print(path, "%s/.cache/saemill/rates.json", home != NULL ? home : "");
}

/* Replace what the file has. */
static void read_kept(struct rates *rates, const struct suite *suite)
{
    char path[PATH_LENGTH];

    rates_path(path);
    json_t *file = json_load_file(path, 0, NULL);
    const char *of = json_string_value(json_object_get(file, "suite"));
    const bool same_text = of != NULL && strcmp(of, suite->name) == 0;
    for (int n = 0; n < NUMBERS_COUNT; n++) {
        const double value = json_number_value(json_object_get(file, NUMBERS[n].name));
        if (value > 0 && (same_text || !NUMBERS[n].of_text))
            *number(rates, n) = value;
    }
    if (file != NULL) {
        snprintf(rates->source, sizeof rates->source, "measured here with the suite %.24s",
                 of != NULL ? of : "?");
        rates->of_others = !same_text;
    }
    json_decref(file);
}

void rates_of(struct rates *rates, const struct suite *suite)
{
    const double given[] = {    /* in the order of the stages */
        suite->rates.tokenize * 1e6, suite->rates.harvest * 1e9, suite->rates.shuffle * 1e6,
        suite->rates.train * 1e9, suite->rates.evaluate * 1e9,
    };
    const int stages = (int)(sizeof given / sizeof *given);
    int count = 0;

    *rates = TYPICAL;
    rates->rows = 1 - 1 / (double)suite->corpus.context;
    read_kept(rates, suite);
    for (int n = 0; n < stages; n++)
        if (given[n] > 0) {
            rates->stage[n].work = given[n];
            count++;
        }
    if (count == stages)
        strcpy(rates->source, "given in the suite");
    else if (count > 0)
        strcat(rates->source, "; some given in the suite");
    rates->of_others = rates->of_others && count == 0;
}

enum status rates_keep(const struct rates *rates, const struct suite *suite)
{
    json_t *file = json_pack("{s:s}", "suite", suite->name);
    struct rates copy = *rates;
    char path[PATH_LENGTH], *text;
    enum status st;

    for (int n = 0; n < NUMBERS_COUNT; n++)
        json_object_set_new(file, NUMBERS[n].name, json_real(*number(&copy, n)));
    text = json_dumps(file, JSON_INDENT(2));
    rates_path(path);
    TRY(file_make_folder_above(path));
    TRY(file_write(path, text, (int64_t)strlen(text)));
done:
    free(text);
    json_decref(file);
    return st;
}

struct stage_rate rates_fit(struct sample less, struct sample more, int cores)
{
    const double each = (less.tasks * more.seconds - more.tasks * less.seconds)
                        / (less.tasks * more.work - more.tasks * less.work);
    const double task = (more.seconds - more.work * each) / more.tasks;

    if (isfinite(each) && each > 0 && task >= 0)
        return (struct stage_rate){ .work = 1 / (cores * each), .task = task };
    return (struct stage_rate){ .work = more.work / (cores * more.seconds) };
}

#include "driver/rates.h"
#include "driver/stage.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The numbers but those of stages, by their names in the file. */
static const struct {
    const char *name;
    size_t      at;
    bool        of_text;    /* true of a text, not of a machine */
} NUMBERS[] = {
    { "start", offsetof(struct rates, start), false },
    { "kept", offsetof(struct rates, kept), false },
    { "token_bytes", offsetof(struct rates, token_bytes), true },
    { "rows", offsetof(struct rates, rows), true },
};

enum { NUMBERS_COUNT = sizeof NUMBERS / sizeof *NUMBERS, ALL_NUMBERS = 2 * STAGES + NUMBERS_COUNT };

/* Where number n is, what it is called, and whether it is true of a text: first the rate and the
 * time of a task of each stage, then the others. */
static double *number(struct rates *rates, int n, char name[32], bool *of_text)
{
    struct stage_rate *rate = &rates->stage[n / 2 < STAGES ? n / 2 : 0];

    *of_text = n >= 2 * STAGES && NUMBERS[n - 2 * STAGES].of_text;
    if (n < 2 * STAGES) {
        snprintf(name, 32, "%s%s", stage_name((enum stage)(n / 2)), n % 2 == 0 ? "" : "_task");
        return n % 2 == 0 ? &rate->work : &rate->task;
    }
    snprintf(name, 32, "%s", NUMBERS[n - 2 * STAGES].name);
    return (double *)((char *)rates + NUMBERS[n - 2 * STAGES].at);
}

/* Two cores of a virtual machine with AVX-512, November 2026. */
static struct rates typical(void)
{
    struct rates rates = { .start = 1, .kept = 0.7, .token_bytes = 1.5, .of_others = true,
                           .source = "typical figures, not of this machine" };

    for (int s = 0; s < STAGES; s++)
        rates.stage[s].work = stage_traits((enum stage)s)->rate;
    return rates;
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
    char path[PATH_LENGTH], name[32];
    bool of_text;

    rates_path(path);
    json_t *file = json_load_file(path, 0, NULL);
    const char *of = json_string_value(json_object_get(file, "suite"));
    const bool same_text = of != NULL && strcmp(of, suite->name) == 0;
    for (int n = 0; n < ALL_NUMBERS; n++) {
        double *to = number(rates, n, name, &of_text);
        const double value = json_number_value(json_object_get(file, name));
        if (value > 0 && (same_text || !of_text))
            *to = value;
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
    int asked = 0, count = 0;

    *rates = typical();
    rates->rows = 1 - 1 / (double)suite->corpus.context;
    read_kept(rates, suite);
    for (int s = 0; s < STAGES; s++) {
        const struct stage_traits *traits = stage_traits((enum stage)s);
        const bool gives = traits->given != NULL && suite_has_stage(suite, (enum stage)s);
        const double given = gives ? traits->given(suite) : 0;
        asked += gives;
        count += given > 0;
        if (given > 0)
            rates->stage[s].work = given * traits->rate_unit;
    }
    if (asked > 0 && count == asked)
        strcpy(rates->source, "given in the suite");
    else if (count > 0)
        strcat(rates->source, "; some given in the suite");
    rates->of_others = rates->of_others && count == 0;
}

enum status rates_keep(const struct rates *rates, const struct suite *suite)
{
    json_t *file = json_pack("{s:s}", "suite", suite->name);
    struct rates copy = *rates;
    char path[PATH_LENGTH], name[32], *text;
    bool of_text;
    enum status st;

    for (int n = 0; n < ALL_NUMBERS; n++) {
        const double value = *number(&copy, n, name, &of_text);
        json_object_set_new(file, name, json_real(value));
    }
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

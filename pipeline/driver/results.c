#include "driver/results.h"
#include "driver/suite_model.h"
#include "release/entries.h"

#include <math.h>

enum { LINES = 25 };    /* of a screen, for autoencoders */

/* A number, or a dash for one that is not defined. */
static void print_number(FILE *out, int width, int digits, double number, const char *unit)
{
    if (isnan(number))
        fprintf(out, "  %*s%s", width, "-", unit);
    else
        fprintf(out, "  %*.*f%s", width, digits, number, unit);
}

static void print_entry(FILE *out, const struct entry *entry)
{
    fprintf(out, "  %-6s  %5d  %7d", site_name(entry->tap.site), entry->tap.layer,
            entry->sae.width);
    print_number(out, 7, 1, entries_score(entry, "l0"), "");
    print_number(out, 6, 3, entries_score(entry, "fvu"), "");
    print_number(out, 9, 3, entries_score(entry, "delta_loss"), " nats");
    print_number(out, 7, 1, 100 * entries_score(entry, "loss_recovered_zero"), " %");
    print_number(out, 5, 1, 100 * entries_score(entry, "never_active") / entry->sae.width, " %");
    fputc('\n', out);
}

/* How many lines each site may have. */
static int lines_of_a_site(const struct entries *entries)
{
    int sites = 0;

    for (int i = 0; i < entries->count; i++)
        sites += i == 0 || entries->entry[i].tap.site != entries->entry[i - 1].tap.site;
    return entries->count <= LINES ? entries->count : LINES / sites;
}

enum status results_print(FILE *out, const struct suite *suite)
{
    struct entries entries = {0};
    struct tasks tasks = {0};
    struct identities identities = {0};
    struct lm_config model;
    enum status st;
    int of_site = 0;

    TRY(suite_model_read(&model, suite));
    TRY(tasks_make(&tasks, suite, model.layers));
    TRY(identities_read(&identities, suite));
    TRY(entries_read(&entries, &identities, &tasks));
    const int most = lines_of_a_site(&entries);

    fprintf(out, "  %-6s  %5s  %7s  %7s  %6s  %14s  %9s  %7s\n", "site", "layer", "width", "L0",
            "FVU", "added loss", "recovered", "dead");
    for (int i = 0; i < entries.count; i++) {
        const bool new_site = i == 0 || entries.entry[i].tap.site != entries.entry[i - 1].tap.site;
        of_site = new_site ? 1 : of_site + 1;
        if (of_site <= most)
            print_entry(out, &entries.entry[i]);
    }
    if (most < entries.count)
        fprintf(out, "  These are the first %d of each site; the report has all %d.\n", most,
                entries.count);
done:
    entries_free(&entries);
    identities_free(&identities);
    tasks_free(&tasks);
    return st;
}

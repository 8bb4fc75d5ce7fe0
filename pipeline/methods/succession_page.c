#include "base/allocate.h"
#include "base/html.h"
#include "base/minmax.h"
#include "methods/head_columns.h"
#include "methods/succession.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_ROWS = 12 };

/* The score of a successor head. */
static const double ENOUGH = 0.5;

/* What a token is read as, and whose digits: names in the JSON, and for people. */
static const char *const KINDS[][2] = {
    { "mlp", "MLP 0 of its embedding" }, { "embedding", "its embedding" }, { "both", "their sum" },
};
static const char *const DIGITS[][2] = { { "probe", "a probe" }, { "latents", "latents" } };

static const char READ_AS[] = "a token read as";

enum { KINDS_COUNT = sizeof KINDS / sizeof *KINDS, DIGITS_COUNT = sizeof DIGITS / sizeof *DIGITS };

/* A head that reads tokens in one way. */
struct reader {
    const json_t *head;
    int           kind;
    double        mean;
    size_t        number;
};

/* The mean over the classes that have a number. */
static double mean_of(const json_t *classes)
{
    double sum = 0;
    int64_t count = 0;
    const char *name;
    json_t *number;

    json_object_foreach((json_t *)classes, name, number)
        if (json_is_number(number)) {
            sum += json_number_value(number);
            count++;
        }
    return count > 0 ? sum / (double)count : (double)NAN;
}

/* --- maps -------------------------------------------------------------------------------- */

static void add_means(struct head_columns *columns, const json_t *heads, const char *group,
                      const char *name, const char *title)
{
    double *value = head_columns_add(columns, "%.3f", ENOUGH, title);
    const json_t *head;
    size_t i;

    json_array_foreach(heads, i, head)
        value[task_files_head_number(head, columns->config)] =
            mean_of(json_object_get(json_object_get(head, group), name));
}

static void write_maps(FILE *out, const struct succession *s, const json_t *heads)
{
    struct head_columns columns;
    char title[HEAD_COLUMNS_TITLE];

    head_columns_make(&columns, s->circuit->config, KINDS_COUNT + DIGITS_COUNT);
    for (int k = 0; k < KINDS_COUNT; k++) {
        snprintf(title, sizeof title, "successor score, a token read as %s", KINDS[k][1]);
        add_means(&columns, heads, "scores", KINDS[k][0], title);
    }
    for (int d = 0; d < DIGITS_COUNT; d++) {
        snprintf(title, sizeof title, "share of sums that are right with digits of %s",
                 DIGITS[d][1]);
        add_means(&columns, heads, "arithmetic", DIGITS[d][0], title);
    }
    head_columns_write_maps(out, &columns, "Numbers are means over the classes; they have full "
                            "colour from one half on.");
    head_columns_free(&columns);
}

/* --- tables ------------------------------------------------------------------------------ */

/* Headings for the classes, after those of the columns before. */
static void begin_classes(FILE *out, const struct succession *s)
{
    for (int32_t k = 0; k < s->ordinals.count; k++)
        html_heading(out, s->ordinals.classes[k].name);
    html_table_rows(out);
}

/* A cell for each class. */
static void write_classes(FILE *out, const struct succession *s, const json_t *numbers)
{
    for (int32_t k = 0; k < s->ordinals.count; k++)
        html_cell(out, task_files_number(numbers, s->ordinals.classes[k].name, NULL), "%.3f");
    fputs("</tr>\n", out);
}

/* The largest means first. */
static int by_mean(const void *a, const void *b)
{
    const struct reader *p = a, *q = b;

    if (p->mean != q->mean)
        return p->mean < q->mean ? 1 : -1;
    return p->number < q->number ? -1 : 1;
}

static const json_t *scores_of(const struct reader *reader)
{
    return json_object_get(json_object_get(reader->head, "scores"), KINDS[reader->kind][0]);
}

/* All heads, in all ways of reading, but for those without a score.
 *   readers [KINDS_COUNT * heads]  out */
static size_t rank_readers(struct reader *readers, const json_t *heads)
{
    const json_t *head;
    size_t i, count = 0;

    json_array_foreach(heads, i, head)
        for (int k = 0; k < KINDS_COUNT; k++) {
            struct reader *reader = &readers[count];
            *reader = (struct reader){ .head = head, .kind = k, .number = count };
            reader->mean = mean_of(scores_of(reader));
            count += isfinite(reader->mean);
        }
    qsort(readers, count, sizeof *readers, by_mean);
    return count;
}

static void write_readers(FILE *out, const struct succession *s, const json_t *heads)
{
    struct reader *readers = allocate(KINDS_COUNT * (int64_t)json_array_size(heads),
                                      sizeof *readers);
    const int64_t count = (int64_t)rank_readers(readers, heads);

    fputs("<h2>The strongest heads</h2>\n", out);
    html_table_begin(out);
    html_heading_text(out, "head");
    html_heading_text(out, READ_AS);
    html_heading(out, "mean");
    begin_classes(out, s);
    for (int64_t i = 0; i < min_int64(count, MOST_ROWS); i++) {
        const struct reader *reader = &readers[i];
        fputs("<tr>", out);
        html_cell_text(out, json_string_value(json_object_get(reader->head, "head")));
        html_cell_text(out, KINDS[reader->kind][1]);
        html_cell(out, reader->mean, "%.3f");
        write_classes(out, s, scores_of(reader));
    }
    html_table_end(out);
    free(readers);
}

/* How well class and index are told. */
static void write_decoding(FILE *out, const json_t *decoding)
{
    fputs("<h2>What a token says of class and index</h2>\n<p>The share of tokens that linear maps "
          "recognise which were fitted to other tokens.</p>\n", out);
    html_table_begin(out);
    html_heading_text(out, READ_AS);
    html_heading(out, "class");
    html_heading(out, "index");
    html_table_rows(out);
    for (int k = 0; k < KINDS_COUNT; k++) {
        fputs("<tr>", out);
        html_cell_text(out, KINDS[k][1]);
        html_cell(out, task_files_number(decoding, KINDS[k][0], "class", NULL), "%.3f");
        html_cell(out, task_files_number(decoding, KINDS[k][0], "index", NULL), "%.3f");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

/* How well digits tell the last digit of tokens. */
static void write_digits(FILE *out, const struct succession *s, const json_t *digits)
{
    if (s->numbers < 0)
        return;
    fputs("<h2>Last digits</h2>\n<p>The share of tokens whose strongest digit is that of their "
          "number.</p>\n", out);
    html_table_begin(out);
    html_heading_text(out, "digits of");
    begin_classes(out, s);
    for (int d = 0; d < DIGITS_COUNT; d++) {
        const json_t *right = json_object_get(json_object_get(digits, DIGITS[d][0]), "right");
        if (right == NULL)
            continue;
        fputs("<tr>", out);
        html_cell_text(out, DIGITS[d][1]);
        write_classes(out, s, right);
    }
    html_table_end(out);
}

static void write_latents(FILE *out, const json_t *found)
{
    const json_t *list = json_object_get(found, "latent"), *latent;
    size_t digit;

    if (list == NULL)
        return;
    fprintf(out, "<p>The latents of the digits 0 to 9:");
    json_array_foreach(list, digit, latent)
        fprintf(out, "%s %lld", digit > 0 ? "," : "", (long long)json_integer_value(latent));
    fprintf(out, ". One of them is strongest on %.3g of the numbers; the mean cosine with the "
            "probe's directions is %.3g.</p>\n", task_files_number(found, "coverage", NULL),
            task_files_number(found, "cosine_to_probe", NULL));
}

enum status succession_page_write(const struct succession *s, const char *name,
                                  const json_t *summary)
{
    const json_t *heads = json_object_get(summary, "heads");
    const json_t *digits = json_object_get(summary, "digits");
    struct task_page page;

    task_page_begin(&page, s->circuit, name);
    fputs(": which heads move a word to the next one of its class. The score of a head in a class "
          "is the share of words from which it does.</p>\n", page.out);
    write_readers(page.out, s, heads);
    write_maps(page.out, s, heads);
    write_digits(page.out, s, digits);
    write_latents(page.out, json_object_get(digits, DIGITS[1][0]));
    write_decoding(page.out, json_object_get(summary, "decoding"));
    return task_page_write(&page);
}

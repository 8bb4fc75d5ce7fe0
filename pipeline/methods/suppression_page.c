#include "base/html.h"
#include "methods/head_columns.h"
#include "methods/suppression.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

/* Columns but for those of shares, and rows of the table. */
enum { OTHERS = 4, MOST_ROWS = 10 };

static const char SCORE[] = "%.3f";

/* A number that all heads have under one name. */
static void add_number(struct head_columns *columns, const json_t *heads, const char *name,
                       const char *format, double full, const char *title)
{
    double *value = head_columns_add(columns, format, full, title);
    const json_t *head;
    size_t i;

    json_array_foreach(heads, i, head)
        value[task_files_head_number(head, columns->config)] = task_files_number(head, name, NULL);
}

/* A score of all heads for one share. */
static void add_score(struct head_columns *columns, const json_t *heads, int64_t share,
                      double size, const char *name, const char *title)
{
    char text[HEAD_COLUMNS_TITLE];
    const json_t *head;
    size_t i;

    snprintf(text, sizeof text, "%s, share %g", title, size);
    double *value = head_columns_add(columns, SCORE, 1, text);
    json_array_foreach(heads, i, head)
        value[task_files_head_number(head, columns->config)] =
            task_files_number(json_array_get(json_object_get(head, "scores"), (size_t)share), name,
                              NULL);
}

static void add_columns(struct head_columns *columns, const struct suppression *s,
                        const json_t *heads)
{
    add_number(columns, heads, "kl_ablated", "%.3g", 0, "KL when the head is ablated, nats");
    for (int64_t i = 0; i < s->shares; i++)
        add_score(columns, heads, i, s->variant[i].share, "cspa", "CSPA");
    for (int64_t i = 0; i < s->shares; i++)
        add_score(columns, heads, i, s->variant[i].share, "qk_only", "QK only");
    add_number(columns, heads, "ov_only", SCORE, 1, "OV only");
    add_number(columns, heads, "ov_lowest", "%.3g", 0,
               "share of tokens whose logit it lowers most");
    if (s->rank[COPY_RANKS_QK] != NULL)
        add_number(columns, heads, "qk_largest", "%.3g", 0,
                   "share of tokens that find themselves best");
}

enum status suppression_page_write(const struct suppression *s, const char *name,
                                   const json_t *heads)
{
    struct head_columns columns;
    struct task_page page;

    head_columns_make(&columns, s->circuit->config, OTHERS + 2 * (int)s->shares);
    add_columns(&columns, s, heads);
    task_page_begin(&page, s->circuit, name);
    fputs(": which heads lower the logit of a token that is predicted and was there before. "
          "CSPA is the share of what a head does, as KL, that remains if it can do this alone and "
          "for some of the tokens only, the given share of those that are predicted most.</p>\n",
          page.out);
    fputs("<h2>Heads that change predictions most</h2>\n", page.out);
    head_columns_write_table(page.out, &columns, 0, MOST_ROWS);
    if (s->heads > 1)
        head_columns_write_maps(page.out, &columns, "Scores have full colour at 1.");
    head_columns_free(&columns);
    return task_page_write(&page);
}

#include "base/html.h"
#include "invert/inversion_drawings.h"
#include "invert/inversion_files.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

enum { SEARCHES_MOST = 50 };    /* rows of the table */

static void write_lead(FILE *out, const struct explanation *e, const json_t *summary)
{
    const char *autoencoder = json_string_value(json_object_get(summary, "autoencoder"));

    if (e->thing->prompt >= 0)
        fprintf(out, ": the row at position %lld of text %lld, explained by ",
                (long long)e->thing->position, (long long)e->thing->prompt + 1);
    else
        fputs(" has no part in this: values from a file are explained by networks from it", out);
    if (autoencoder != NULL) {
        fputs("the decoder of <code>", out);
        html_text(out, autoencoder);
        fputs("</code>", out);
    } else if (e->thing->prompt >= 0) {
        fputs("an MLP", out);
    }
    fputs(". Sought are z and w that make A G(w) what is seen, where w is near M(z) and z is "
          "small.</p>\n", out);
}

static void write_cards(FILE *out, const struct explanation *e)
{
    fputs("<dl class=\"cards\">\n", out);
    html_card(out, "relative error", 100 * e->error, "%.3g", "%");
    html_card(out, "loss", e->restarts->terms[e->restarts->best].loss, "%.4g", "");
    html_card(out, "size of z", e->z_norm, "%.4g", "");
    html_card(out, "size of w", e->w_norm, "%.4g", "");
    html_card(out, "w is off M(z) by", 100 * e->gap, "%.3g", "%");
    if (e->strongest_count > 0) {
        html_card(out, "latents found", e->found.l0, NULL, "");
        html_card(out, "error of their row", 100 * e->found.error, "%.3g", "%");
        html_card(out, "latents of the encoder", e->encoded.l0, NULL, "");
        html_card(out, "error of their row", 100 * e->encoded.error, "%.3g", "%");
    }
    fputs("</dl>\n", out);
}

static void write_searches(FILE *out, const json_t *searches, int32_t best)
{
    static const char *const COLUMNS[] = { "start", "loss", "data", "features", "mapping",
                                           "prior" };
    const int columns = sizeof COLUMNS / sizeof *COLUMNS;
    const size_t rows = json_array_size(searches);

    fputs(
        "<h2>The searches</h2>\n<p>The loss of each one's start and end, and what the parts of the "
        "end add to it.</p>\n",
        out);
    html_table_begin(out);
    html_heading_text(out, "search");
    for (int c = 0; c < columns; c++)
        html_heading(out, COLUMNS[c]);
    html_table_rows(out);
    for (size_t i = 0; i < rows && i < SEARCHES_MOST; i++) {
        fprintf(out, "<tr><td class=\"text\">%zu%s</td>", i + 1,
                (int32_t)i == best ? ", the best" : "");
        for (int c = 0; c < columns; c++)
            html_cell(out, task_files_number(json_array_get(searches, i), COLUMNS[c], NULL),
                      "%.4g");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void write_latents(FILE *out, const struct explanation *e)
{
    fputs("<h2>Latents</h2>\n<p>The strongest ones, as they were found, and as the encoder gives "
          "them. Of those found, latents count above 1&nbsp;% of the largest.</p>\n", out);
    html_table_begin(out);
    html_heading_text(out, "latent");
    html_heading(out, "found");
    html_heading(out, "encoded");
    html_table_rows(out);
    for (int32_t i = 0; i < e->strongest_count; i++) {
        fprintf(out, "<tr><td class=\"text\">%d</td>", (int)e->strongest[i]);
        html_cell(out, explanation_latent(e, e->strongest[i]), "%.4g");
        html_cell(out, (double)e->thing->inner[e->strongest[i]], "%.4g");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

enum status inversion_files_write_page(const struct circuit *task, const char *name,
                                       const struct explanation *e,
                                       const struct descent_options *options,
                                       const json_t *summary)
{
    const struct inversion_setup *setup = &e->inversion->setup;
    struct task_page page;

    task_page_begin(&page, task, name);
    page.without_table = true;
    write_lead(page.out, e, summary);
    write_cards(page.out, e);
    fputs("<h2>The way down</h2>\n<div class=\"heats\">\n", page.out);
    inversion_drawings_losses(page.out, e->restarts, options->steps);
    inversion_drawings_values(page.out, setup->target, e->explained, setup->seen->outputs);
    fputs("</div>\n", page.out);
    if (e->strongest_count > 0)
        write_latents(page.out, e);
    write_searches(page.out, json_object_get(summary, "searches"), e->restarts->best);
    return task_page_write(&page);
}

#include "base/html.h"
#include "circuit/metric.h"
#include "methods/latents_files.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

/* Nodes in the table. */
enum { MOST_ROWS = 30 };

/* "res.01/w64-t5", and the latent's number or "error". */
static void write_name(FILE *out, const json_t *node)
{
    const json_t *latent = json_object_get(node, "latent");

    fputs("<tr>", out);
    html_cell_text(out, json_string_value(json_object_get(node, "autoencoder")));
    if (json_is_integer(latent))
        fprintf(out, "<td>%lld</td>", (long long)json_integer_value(latent));
    else
        fputs("<td>error</td>", out);
}

/* The strongest nodes with their scores, and with effects where these are measured. */
static void write_nodes(FILE *out, const json_t *summary)
{
    const json_t *sample = json_object_get(summary, "sample"), *node;
    const json_t *nodes = sample != NULL ? json_object_get(sample, "nodes")
                                         : json_object_get(summary, "strongest");
    size_t i;

    fputs("<h2>The strongest nodes</h2>\n<p>The effect is the change of the metric when this node "
          "alone has its value of the corrupted prompt; minus the score predicts it.", out);
    if (sample != NULL)
        fprintf(out, " Of these nodes effect = %.3g &times; &minus;score + constant, with an R² of "
                "%.3g.", task_files_number(sample, "slope", NULL),
                task_files_number(sample, "r2", NULL));
    fputs("</p>\n", out);
    html_table_begin(out);
    html_heading_text(out, "autoencoder");
    html_heading(out, "latent");
    html_heading(out, "score");
    if (sample != NULL)
        html_heading(out, "effect");
    html_table_rows(out);
    json_array_foreach(nodes, i, node) {
        if (i == MOST_ROWS)
            break;
        write_name(out, node);
        html_cell(out, task_files_number(node, "score", NULL), "%.4g");
        if (sample != NULL)
            html_cell(out, task_files_number(node, "effect", NULL), "%.4g");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void write_sites(FILE *out, const json_t *sites)
{
    const json_t *site;
    size_t i;

    fputs("<h2>Sites</h2>\n", out);
    html_table_begin(out);
    html_heading_text(out, "autoencoder");
    html_heading(out, "sum of its latents' scores");
    html_heading(out, "sum of their sizes");
    html_heading(out, "score of the error");
    html_table_rows(out);
    json_array_foreach(sites, i, site) {
        fputs("<tr>", out);
        html_cell_text(out, json_string_value(json_object_get(site, "autoencoder")));
        html_cell(out, task_files_number(site, "latents", NULL), "%.4g");
        html_cell(out, task_files_number(site, "latents_absolute", NULL), "%.4g");
        html_cell(out, task_files_number(site, "error", NULL), "%.4g");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void write_sizes(FILE *out, const json_t *sizes)
{
    const json_t *size;
    size_t i;

    fputs("<h2>Circuits of the strongest nodes</h2>\n<p>All other nodes have the values of the "
          "corrupted prompt. Faithfulness is 0 without any node, 1 with all.</p>\n", out);
    html_table_begin(out);
    html_heading(out, "nodes");
    html_heading(out, "metric");
    html_heading(out, "faithfulness");
    html_table_rows(out);
    json_array_foreach(sizes, i, size) {
        fputs("<tr>", out);
        html_cell(out, task_files_number(size, "nodes", NULL), "%.0f");
        html_cell(out, task_files_number(size, "value", NULL), "%.4g");
        html_cell(out, task_files_number(size, "faithfulness", NULL), "%.3f");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

enum status latents_files_write_page(const struct circuit *circuit, const char *name,
                                     const json_t *summary)
{
    struct task_page page;

    task_page_begin(&page, circuit, name);
    fprintf(page.out,
            ": which latents carry the answer. The metric is %s, to be small: %.4g on the "
            "clean prompts, %.4g on the corrupted ones.</p>\n",
            metric_name(circuit->suite->circuit.metric), task_files_number(summary, "clean", NULL),
            task_files_number(summary, "corrupted", NULL));
    write_nodes(page.out, summary);
    write_sizes(page.out, json_object_get(summary, "faithfulness"));
    write_sites(page.out, json_object_get(summary, "sites"));
    return task_page_write(&page);
}

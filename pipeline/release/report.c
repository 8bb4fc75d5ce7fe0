#include "release/report.h"
#include "base/html.h"
#include "base/human.h"
#include "base/text.h"
#include "release/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- text and numbers ----------------------------------------------------------- */

static const char *text_at(const json_t *object, const char *section, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, section), name));

    return text == NULL ? "unknown" : text;
}

static double number_at(const json_t *object, const char *section, const char *name)
{
    return json_number_value(json_object_get(json_object_get(object, section), name));
}

/* The end of the entries from `from` on that have its site, or its tap. */
static int end_of_site(const struct entries *entries, int from)
{
    int end = from;

    while (end < entries->count && entries->entry[end].tap.site == entries->entry[from].tap.site)
        end++;
    return end;
}

static int end_of_tap(const struct entries *entries, int from)
{
    int end = from;

    while (end < entries->count && entries->entry[end].tap.site == entries->entry[from].tap.site
           && entries->entry[end].tap.layer == entries->entry[from].tap.layer)
        end++;
    return end;
}

/* ---- the top of the page -------------------------------------------------------- */

/* Write the range of training rows over the release: "2.00 million to 4.00 billion". */
static void put_training_rows(FILE *out, const struct entries *entries)
{
    int64_t least = INT64_MAX, most = 0;

    for (int i = 0; i < entries->count; i++) {
        const int64_t tokens = entries->entry[i].sae.tokens;

        least = tokens < least ? tokens : least;
        most = tokens > most ? tokens : most;
    }
    html_count(out, (double)least);
    if (most > least) {
        fputs(" to ", out);
        html_count(out, (double)most);
    }
}

/* Write each recipe once: "gemma_scope", "gated and topk". */
static void put_recipes(FILE *out, const struct entries *entries)
{
    enum architecture_id seen[ARCHITECTURES_COUNT];
    int count = 0;

    for (int i = 0; i < entries->count; i++) {
        int s = 0;
        while (s < count && seen[s] != entries->entry[i].sae.architecture)
            s++;
        if (s == count)
            seen[count++] = entries->entry[i].sae.architecture;
    }
    for (int s = 0; s < count; s++)
        fprintf(out, "%s<code>%s</code>", s == 0 ? "" : s == count - 1 ? " and " : ", ",
                ARCHITECTURES[seen[s]].name);
}

/* The heading, one sentence about all autoencoders, and a few numbers. */
static void write_top(FILE *out, const struct suite *suite, const struct entries *entries,
                      const json_t *manifest)
{
    const struct entry *first = &entries->entry[0];

    fputs("<h1>", out);
    html_text(out, suite->name);
    fprintf(out, ": %d sparse autoencoder%s of ", entries->count, entries->count == 1 ? "" : "s");
    html_text(out, text_at(manifest, "model", "name"));
    fputs("</h1>\n<p class=\"lead\">Recipe ", out);
    put_recipes(out, entries);
    fputs(", each autoencoder trained on the activations of ", out);
    put_training_rows(out, entries);
    fputs(" tokens from ", out);
    const json_t *files = json_object_get(json_object_get(manifest, "corpus"), "files");
    if (json_array_size(files) <= 3) {
        for (size_t i = 0; i < json_array_size(files); i++) {
            fputs(i > 0 ? ", <code>" : "<code>", out);
            html_text(out, json_string_value(json_object_get(json_array_get(files, i), "name")));
            fputs("</code>", out);
        }
    } else {
        fprintf(out, "%zu files of text", json_array_size(files));
    }
    fprintf(out, ", in sequences of %lld, and evaluated inside the model on text that it was not "
            "trained on.</p>\n", (long long)suite->corpus.context);
    fputs("<dl class=\"cards\">\n", out);
    html_card(out, "autoencoders", entries->count, NULL, "");
    html_card(out, "layers of the model", number_at(manifest, "model", "layers"), NULL, "");
    html_card(out, "sequences of text", number_at(manifest, "corpus", "sequences_train"),
              NULL, "");
    html_card(out, "evaluated on", entries_score(first, "tokens"), NULL, "held-out tokens");
    html_card(out, "the model's own loss", entries_score(first, "ce"), "%.3f", "nats a token");
    fputs("</dl>\n", out);
}

/* ---- the sections --------------------------------------------------------------- */

/* A figure for each site. */
static enum status write_fidelity(FILE *out, const struct entries *entries, bool drawn)
{
    enum status st = OK;

    fputs("<h2 id=\"fidelity\">Sparsity and fidelity</h2>\n"
          "<p>With fewer active latents a token has a simpler explanation and a worse "
          "reconstruction. Lower and further left is better: less of the activation is lost, and "
          "the language model's predictions suffer less when the reconstruction replaces it."
          "</p>\n", out);
    for (int from = 0, end; from < entries->count; from = end) {
        const enum site site = entries->entry[from].tap.site;

        end = end_of_site(entries, from);
        fprintf(out, "<h3><code>%s</code>: %s</h3>\n", site_name(site), site_traits(site)->phrase);
        TRY(figures_fidelity(out, entries->entry + from, end - from, drawn));
    }
done:
    return st;
}

/* A column of the table that shows a score. */
struct column {
    const char *title, *score, *format;
    double      scale;
    bool        of_width;       /* as a share of the latents */
};

static const struct column COLUMNS[] = {
    { "L0", "l0", "%.1f", 1, false },
    { "FVU", "fvu", "%.3f", 1, false },
    { "added loss,<br>nats", "delta_loss", "%.3f", 1, false },
    { "loss<br>recovered", "loss_recovered_zero", "%.1f %%", 100, false },
    { "KL,<br>nats", "kl", "%.3f", 1, false },
    { "cosine", "cosine", "%.3f", 1, false },
    { "never<br>active", "never_active", "%.1f %%", 100, true },
    { "dense<br>latents", "dense_above_10_percent", "%.0f", 1, false },
};

enum { COLUMNS_COUNT = sizeof COLUMNS / sizeof *COLUMNS };

static void write_row(FILE *out, const struct entry *e, bool first)
{
    const char *site = site_name(e->tap.site);
    char name[16];

    fprintf(out, "<tr%s><td class=\"text\"><a href=\"#%s-%d\">%s</a></td>",
            first ? " class=\"first\"" : "", site, e->tap.layer, site);
    fprintf(out, "<td>%d</td><td class=\"text\">%s</td><td>%s</td>", e->tap.layer,
            ARCHITECTURES[e->sae.architecture].name,
            entries_width_name(name, e->sae.width));
    for (int c = 0; c < COLUMNS_COUNT; c++) {
        const double score = entries_score(e, COLUMNS[c].score) * COLUMNS[c].scale;

        fputs("<td>", out);
        if (isfinite(score))
            fprintf(out, COLUMNS[c].format, COLUMNS[c].of_width ? score / e->sae.width : score);
        else
            fputs("–", out);
        fputs("</td>", out);
    }
    fprintf(out, "<td class=\"text\"><a href=\"%s/\">%s</a></td></tr>\n", e->folder,
            strrchr(e->folder, '/') + 1);
}

static void write_table(FILE *out, const struct entries *entries)
{
    fputs("<h2 id=\"all\">All autoencoders</h2>\n"
          "<p class=\"note\">Programs find these numbers in <a href=\"scores.tsv\">scores.tsv</a>, "
          "and more of them in <code>scores.json</code> in each autoencoder's folder. "
          "<a href=\"#terms\">What the columns mean.</a></p>\n"
          "<div class=\"wide\"><table>\n<thead><tr><th class=\"text\">site</th><th>layer</th>"
          "<th class=\"text\">recipe</th><th>width</th>", out);
    for (int c = 0; c < COLUMNS_COUNT; c++)
        fprintf(out, "<th>%s</th>", COLUMNS[c].title);
    fputs("<th class=\"text\">folder</th></tr></thead>\n<tbody>\n", out);
    for (int i = 0; i < entries->count; i++)
        write_row(out, &entries->entry[i],
                  i > 0 && entries->entry[i].tap.site != entries->entry[i - 1].tap.site);
    fputs("</tbody></table></div>\n", out);
}

static bool has_top_k(const struct entries *entries)
{
    for (int i = 0; i < entries->count; i++)
        if (ARCHITECTURES[entries->entry[i].sae.architecture].form == FORM_TOPK)
            return true;
    return false;
}

static bool has_skip(const struct entries *entries)
{
    for (int i = 0; i < entries->count; i++)
        if (entries->entry[i].sae.skip)
            return true;
    return false;
}

/* Code that loads an autoencoder of the middle of the list. */
static void write_usage(FILE *out, const struct entries *entries)
{
    const char *folder = entries->entry[entries->count / 2].folder;

    fputs("<h2 id=\"use\">Load one</h2>\n"
          "<p>The parameters apply to the model's raw activations; no normalisation is needed. "
          "With NumPy, in Gemma Scope's form:</p>\n", out);
    fprintf(out, "<pre><code>import numpy as np\n"
            "p = np.load(\"%s/params.npz\")\n"
            "pre = x @ p[\"W_enc\"] + p[\"b_enc\"]                # x: activations [rows, d]\n"
            "f = np.where(pre &gt; p[\"threshold\"], pre, 0)       # latents\n", folder);
    if (has_top_k(entries))
        fputs("if \"k\" in p:                                   # recipe topk: the k largest\n"
              "    f[f &lt; np.sort(f)[:, -int(p[\"k\"][0]), None]] = 0\n", out);
    fputs("y = f @ p[\"W_dec\"] + p[\"b_dec\"]                  # reconstruction\n", out);
    if (has_skip(entries))
        fputs("if \"affine_skip_connection\" in p: y += x @ p[\"affine_skip_connection\"]\n", out);
    fputs("</code></pre>\n", out);
    fputs("<p>With SAELens (from version 6.0 on; 6.24 for a transcoder with a skip matrix; 6.34 to "
          "splice transcoders), which also reads the hook point of the site from "
          "<code>cfg.json</code>:</p>\n", out);
    fprintf(out, "<pre><code>from sae_lens import SAE\n"
            "sae = SAE.load_from_disk(\"%s\")\n</code></pre>\n", folder);
    fputs("<p>To check that all files arrived unchanged, run <code>sha256sum -c SHA256SUMS</code> "
          "in this folder; <code>saemill verify</code> also loads every file.</p>\n", out);
}

/* A figure for each tap, of which the first is open. */
static enum status write_taps(FILE *out, const struct suite *suite,
                              const struct entries *entries, bool drawn)
{
    enum status st = OK;

    fputs("<h2 id=\"training\">Training and firing</h2>\n"
          "<p>For each site and layer: the course of training, measured on the training data in "
          "normalised units; and how often the trained latents fire on held-out text. The "
          "histogram of a healthy dictionary has one peak well below 10<sup>&minus;1</sup> and "
          "few latents to the right of it, and few of its latents are dead.</p>\n", out);
    for (int from = 0, end; from < entries->count; from = end) {
        const struct tap tap = entries->entry[from].tap;

        end = end_of_tap(entries, from);
        fprintf(out, "<details id=\"%s-%d\"%s>\n<summary>%s, layer %d <span>&middot; %d "
                "autoencoder%s</span></summary>\n", site_name(tap.site), tap.layer,
                from == 0 ? " open" : "", site_name(tap.site), tap.layer, end - from,
                end - from == 1 ? "" : "s");
        TRY(figures_tap(out, suite, entries->entry + from, end - from, drawn));
        fputs("</details>\n", out);
    }
done:
    return st;
}

static void write_terms(FILE *out)
{
    fputs("<h2 id=\"terms\">What the numbers mean</h2>\n"
          "<p>All are means over the held-out tokens; <i>x</i> is an activation, <i>y</i> its "
          "reconstruction. In a spliced run the reconstruction replaces the activation at every "
          "token that is not BOS, EOS or padding.</p>\n<dl class=\"terms\">\n"
          "<dt>L0</dt><dd>latents that are active on a token</dd>\n"
          "<dt>FVU</dt><dd>fraction of variance unexplained: "
          "mean |<i>x</i> &minus; <i>y</i>|&sup2; over "
          "mean |<i>x</i> &minus; mean <i>x</i>|&sup2;</dd>\n"
          "<dt>added loss</dt><dd>next-token cross-entropy of the spliced run minus that of the "
          "model</dd>\n"
          "<dt>loss recovered</dt><dd>1 &minus; added loss / the loss that is added when the site "
          "is set to zero</dd>\n"
          "<dt>KL</dt><dd>Kullback-Leibler divergence of the spliced run's predictions from the "
          "model's</dd>\n"
          "<dt>cosine</dt><dd>between <i>x</i> and <i>y</i></dd>\n"
          "<dt>never active</dt><dd>latents that are active on no held-out token, including rare "
          "ones; the dead latents of the training curves are counted on training data</dd>\n"
          "<dt>dense latents</dt><dd>active on more than a tenth of the tokens</dd>\n</dl>\n", out);
}

static void write_files(FILE *out, const json_t *files)
{
    size_t i;
    json_t *file;

    json_array_foreach(files, i, file) {
        fputs("<tr><td class=\"text\">", out);
        html_text(out, json_string_value(json_object_get(file, "name")));
        fprintf(out, "</td><td>%s</td><td class=\"text sum\"><code>",
                human_bytes(json_number_value(json_object_get(file, "bytes"))));
        html_text(out, json_string_value(json_object_get(file, "sha256")));
        fputs("</code></td></tr>\n", out);
    }
}

static void write_provenance(FILE *out, const json_t *manifest)
{
    json_t *libraries = json_object_get(manifest, "libraries");
    const char *name;
    json_t *version;

    fputs("<h2 id=\"provenance\">How it was made</h2>\n<p>By saemill, commit <code>", out);
    html_text(out, text_at(manifest, "build", "commit"));
    fputs("</code>, on ", out);
    html_text(out, text_at(manifest, "build", "cpu"));
    fputs(". The same program, inputs and suite file give the same bytes again on a processor of "
          "this kind, with any number of ranks and threads.</p>\n"
          "<details><summary>The suite file <span>&middot; every key, including defaults"
          "</span></summary>\n<pre><code>", out);
    html_text(out, json_string_value(json_object_get(manifest, "suite")));
    fputs("</code></pre></details>\n"
          "<details><summary>Inputs <span>&middot; SHA-256</span></summary>\n"
          "<div class=\"wide\"><table>\n", out);
    write_files(out, json_object_get(json_object_get(manifest, "model"), "files"));
    write_files(out, json_object_get(json_object_get(manifest, "corpus"), "files"));
    fputs("</table></div></details>\n<details><summary>Libraries</summary>\n<div class=\"wide\">"
          "<table>\n", out);
    json_object_foreach(libraries, name, version) {
        fputs("<tr><td class=\"text\">", out);
        html_text(out, name);
        fputs("</td><td class=\"text\">", out);
        html_text(out, json_string_value(version));
        fputs("</td></tr>\n", out);
    }
    fputs("</table></div></details>\n", out);
    html_end(out);
}

enum status report_text(char **text, const struct suite *suite, const struct entries *entries,
                        const json_t *manifest, bool drawn)
{
    size_t size;
    FILE *out = text_open(text, &size);
    enum status st;

    html_begin(out, suite->name, "sparse autoencoders");
    write_top(out, suite, entries, manifest);
    TRY(write_fidelity(out, entries, drawn));
    write_table(out, entries);
    write_usage(out, entries);
    TRY(write_taps(out, suite, entries, drawn));
    write_terms(out);
    write_provenance(out, manifest);
done:
    text_close(out);
    if (st != OK) {
        free(*text);
        *text = NULL;
    }
    return st;
}

enum status report_write(const char *path, const struct suite *suite,
                         const struct entries *entries, const json_t *manifest)
{
    char *text = NULL;
    enum status st;

    TRY(report_text(&text, suite, entries, manifest, true));
    TRY(file_write(path, text, (int64_t)strlen(text)));
done:
    free(text);
    return st;
}

#include "base/allocate.h"
#include "base/html.h"
#include "base/utf8.h"
#include "methods/attention_latents.h"
#include "methods/task_files.h"
#include "methods/task_page.h"
#include "prompts/wording.h"

#include <math.h>
#include <stdlib.h>

/* Latents that are shown, prompts of each, and parts from below of each prompt. */
enum { MOST_LATENTS = 20, MOST_PROMPTS = 3, MOST_BELOW = 5 };

/* Sizes of bars in pixels: distance of two, width, height of the largest, space to the left,
 * above and below. */
enum { STEP = 30, BAR = 22, HEIGHT = 70, LEFT = 44, ABOVE = 8, BELOW = 18 };

/* What is on the page, and who can read its tokens. */
struct view {
    const struct attention_latents *all;
    const struct prompts *prompts;
    const struct wording *wording;
    int32_t               heads;    /* of a layer */
    FILE                 *out;
};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int64_t whole_of(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

/* --- bars -------------------------------------------------------------------------------- */

/* A number of the heads. */
struct bars {
    const char *name;       /* in the JSON */
    double      most;       /* the largest size */
    int         bottom;     /* where the lowest bars end */
};

static struct bars bars_of(const json_t *heads, const char *name)
{
    struct bars bars = { .name = name, .bottom = HEIGHT + ABOVE };
    const json_t *head;
    size_t i;

    json_array_foreach(heads, i, head) {
        const double value = task_files_number(head, name, NULL);
        bars.most = fmax(bars.most, fabs(value));
        if (value < 0)
            bars.bottom = 2 * HEIGHT + ABOVE;
    }
    return bars;
}

/* A bar from 0, upward or downward. */
static void write_bar(FILE *out, const struct bars *bars, const json_t *head, size_t i)
{
    const double value = task_files_number(head, bars->name, NULL);
    const double height = bars->most > 0 ? HEIGHT * fabs(value) / bars->most : 0;
    const int x = LEFT + (int)i * STEP;

    fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\">"
            "<title>%s: %.4g</title></rect>\n", value < 0 ? "minus" : "plus", x,
            HEIGHT + ABOVE - (value < 0 ? 0 : height), BAR, height, text_of(head, "head"), value);
    fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", x + BAR / 2, bars->bottom + BELOW - 4,
            text_of(head, "head"));
}

/* A number of each head, those above 0 upward; the largest size stands to the left. */
static void write_bars(FILE *out, const json_t *heads, const char *name, const char *title)
{
    const struct bars bars = bars_of(heads, name);
    const int width = LEFT + STEP * (int)json_array_size(heads), height = bars.bottom + BELOW;
    const json_t *head;
    size_t i;

    fprintf(out, "<figure>\n<figcaption>%s</figcaption>\n<svg class=\"heat\" role=\"img\" "
            "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", title, width, height, width,
            height);
    fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%d\">%.3g</text>\n<text class=\"end\" "
            "x=\"%d\" y=\"%d\">0</text>\n", LEFT - 6, ABOVE + 4, bars.most, LEFT - 6,
            HEIGHT + ABOVE + 4);
    json_array_foreach(heads, i, head)
        write_bar(out, &bars, head, i);
    fputs("</svg>\n</figure>\n", out);
}

/* --- prompts ----------------------------------------------------------------------------- */

/* A token as text; its number if there is no tokenizer. */
static void write_token(const struct view *v, int32_t id)
{
    char *text = NULL, *clean;
    int64_t bytes;

    if (v->wording->tokenizer.kind != NULL
        && tokenizer_decode(&v->wording->tokenizer, &id, 1, &text, &bytes) == OK) {
        clean = utf8_clean(text, bytes, &bytes);
        html_text(v->out, clean);
        free(clean);
    } else {
        fprintf(v->out, "%d", (int)id);
    }
    free(text);
    refuse_clear();
}

/* What all heads together add from each source token.  Caller frees. */
static double *sources_of(const struct view *v, int64_t prompt, int64_t t)
{
    const double *part = attention_latents_values(v->all, ATTENTION_LATENTS_PART, prompt, t);
    const int64_t tokens = v->prompts->tokens;
    double *sum = allocate(tokens, sizeof *sum);

    for (int64_t i = 0; i < v->heads * tokens; i++)
        sum[i % tokens] += part[i];
    return sum;
}

/* The tokens of a prompt up to the one where the latent is taken apart. */
static void write_prompt(const struct view *v, const json_t *item, int64_t t)
{
    const int64_t prompt = whole_of(item, "prompt"), last = whole_of(item, "position");
    double *sum = sources_of(v, prompt, t), most = 0;

    for (int64_t s = 0; s <= last; s++)
        most = fmax(most, fabs(sum[s]));
    fprintf(v->out, "<p class=\"tokens\"><b>prompt %lld, %.3g</b>\n", (long long)prompt,
            task_files_number(item, "pre_activation", NULL));
    for (int64_t s = 0; s <= last; s++) {
        fprintf(v->out, "<span style=\"--share: %.0f%%; --sign: var(--%s)\" title=\"%lld: %.4g\">",
                most > 0 ? 60 * fabs(sum[s]) / most : 0, sum[s] < 0 ? "minus" : "plus",
                (long long)s, sum[s]);
        write_token(v, v->prompts->clean[prompt * v->prompts->tokens + s]);
        fputs("</span>\n", v->out);
    }
    fputs("</p>\n", v->out);
    free(sum);
}

/* --- the stream below -------------------------------------------------------------------- */

/* The strongest latents below on a prompt. */
static void write_sources(const struct view *v, const json_t *item)
{
    const json_t *below = json_object_get(item, "below"), *part;
    const int64_t prompt = whole_of(item, "prompt");
    size_t i;

    json_array_foreach(json_object_get(below, "strongest"), i, part) {
        if (i == MOST_BELOW)
            break;
        const int64_t position = whole_of(part, "position");
        fprintf(v->out, "<tr><td>%lld</td><td>%lld</td><td class=\"text\">", (long long)prompt,
                (long long)position);
        write_token(v, v->prompts->clean[prompt * v->prompts->tokens + position]);
        fprintf(v->out, "</td><td>%lld</td>", (long long)whole_of(part, "latent"));
        html_cell(v->out, task_files_number(part, "part", NULL), "%.4g");
        fputs("</tr>\n", v->out);
    }
}

static void write_below(const struct view *v, const json_t *prompts, int64_t t)
{
    const int below = v->all->site[v->all->target[t].site].below;
    const json_t *item;
    size_t i;

    if (below < 0)
        return;
    fputs("<details><summary>The stream below <span>&middot; the strongest latents of <code>",
          v->out);
    html_text(v->out, v->all->chosen->sae[below].name);
    fputs("</code></span></summary>\n", v->out);
    html_table_begin(v->out);
    html_heading(v->out, "prompt");
    html_heading(v->out, "position");
    html_heading_text(v->out, "token");
    html_heading(v->out, "latent");
    html_heading(v->out, "its part");
    html_table_rows(v->out);
    json_array_foreach(prompts, i, item)
        if (i < MOST_PROMPTS)
            write_sources(v, item);
    html_table_end(v->out);
    fputs("</details>\n", v->out);
}

/* --- latents ----------------------------------------------------------------------------- */

static void write_latent(const struct view *v, const json_t *latent, int64_t t)
{
    const json_t *prompts = json_object_get(latent, "strongest"), *item;
    const json_t *heads = json_object_get(latent, "heads");
    size_t i;

    fputs("<h3>", v->out);
    html_text(v->out, text_of(latent, "autoencoder"));
    fprintf(v->out,
            ", latent %lld</h3>\n<p>Active on %lld of %lld prompts. The bias of its encoder "
            "is %.3g.</p>\n<div class=\"heats\">\n",
            (long long)whole_of(latent, "latent"), (long long)whole_of(latent, "active"),
            (long long)v->prompts->count, task_files_number(latent, "bias", NULL));
    write_bars(v->out, heads, "part", "mean part of each head");
    write_bars(v->out, heads, "share", "share of each head, by weights");
    fputs("</div>\n", v->out);
    json_array_foreach(prompts, i, item)
        if (i < MOST_PROMPTS)
            write_prompt(v, item, t);
    write_below(v, prompts, t);
}

static void write_latents(const struct view *v, const json_t *latents)
{
    const json_t *latent;
    size_t i;

    fputs("<h2>Latents</h2>\n<p class=\"note\">On each prompt a latent is taken apart where its "
          "pre-activation is largest. What the heads add there, and what all of them add from each "
          "token, are parts of it, in the unit of the activations. <b class=\"plus\">This "
          "colour</b> is for parts above 0, <b class=\"minus\">this one</b> for those below. The "
          "prompts of largest pre-activation follow with this number; they end where the latent is "
          "taken apart. Point at a bar or a token to see its number.</p>\n", v->out);
    if (json_array_size(latents) > MOST_LATENTS)
        fprintf(v->out, "<p>The first %d of %lld are shown.</p>\n", MOST_LATENTS,
                (long long)json_array_size(latents));
    json_array_foreach(latents, i, latent)
        if (i < MOST_LATENTS)
            write_latent(v, latent, (int64_t)i);
}

/* --- heads by their weights -------------------------------------------------------------- */

static void write_head(FILE *out, const json_t *head)
{
    const json_t *latent;
    size_t i;

    fputs("<tr>", out);
    html_cell_text(out, text_of(head, "head"));
    html_cell(out, task_files_number(head, "mean_share", NULL), "%.3f");
    html_cell(out, task_files_number(head, "largest_in", NULL), "%.0f");
    html_cell(out, task_files_number(head, "more_than_half_in", NULL), "%.0f");
    html_cell(out, task_files_number(head, "directions", NULL), "%.2f");
    fputs("<td class=\"text\">", out);
    json_array_foreach(json_object_get(head, "strongest"), i, latent)
        fprintf(out, "%s%lld (%.2f)", i > 0 ? ", " : "", (long long)whole_of(latent, "latent"),
                task_files_number(latent, "share", NULL));
    fputs("</td></tr>\n", out);
}

static void write_site(FILE *out, const json_t *site)
{
    const json_t *heads = json_object_get(site, "heads"), *head;
    size_t i;

    fputs("<h3>", out);
    html_text(out, text_of(site, "autoencoder"));
    fprintf(out, "</h3>\n<p>%lld of %lld heads have two or more directions.</p>\n",
            (long long)whole_of(site, "heads_of_several_directions"),
            (long long)json_array_size(heads));
    html_table_begin(out);
    html_heading_text(out, "head");
    html_heading(out, "mean share");
    html_heading(out, "latents: largest share");
    html_heading(out, "more than half");
    html_heading(out, "directions");
    html_heading_text(out, "strongest latents (share)");
    html_table_rows(out);
    json_array_foreach(heads, i, head)
        write_head(out, head);
    html_table_end(out);
}

static void write_sites(FILE *out, const json_t *sites)
{
    const json_t *site;
    size_t i;

    fputs("<h2>Heads by their weights</h2>\n<p>The share of a head in a latent is the size of its "
          "slice of the decoder row, among those of all heads. The directions of its slices in its "
          "ten strongest latents are counted: 1 if all write along one line, 10 if they have "
          "nothing in common.</p>\n", out);
    json_array_foreach(sites, i, site)
        write_site(out, site);
}

enum status attention_latents_page_write(const struct attention_latents *all,
                                         const struct circuit *circuit, const char *name,
                                         const json_t *summary)
{
    struct wording wording = {0};
    struct task_page page;
    enum status st;

    TRY(wording_open(&wording, circuit->suite, circuit->config));
    task_page_begin(&page, circuit, name);
    fputs(": which heads, and which tokens, make latents of attention fire.</p>\n", page.out);
    const struct view view = { all, circuit->prompts, &wording, circuit->config->heads, page.out };
    write_latents(&view, json_object_get(summary, "latents"));
    write_sites(page.out, json_object_get(summary, "autoencoders"));
    TRY(task_page_write(&page));
done:
    wording_close(&wording);
    return st;
}

#include "intervene/unlearning_page.h"
#include "base/allocate.h"
#include "base/html.h"
#include "intervene/clamp.h"
#include "intervene/scatter_drawing.h"
#include "intervene/unlearning_texts.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

#include <math.h>
#include <stdlib.h>

/* Latents of a threshold in the table, and colours of points. */
enum { MOST_ROWS = 30, COLOURS = 12 };

/* What the page is written from. */
struct sweep_page {
    const struct intervention *intervention;
    const json_t  *sweep;
    json_t *const *tasks;       /* [count] */
    int64_t        count;
    FILE          *out;
};

static bool has_latents(const struct sweep_page *page)
{
    return page->intervention->suite->intervene.clamp != CLAMP_MEAN_DIFFERENCE;
}

static bool has_questions(const struct sweep_page *page)
{
    return unlearning_texts_asks(page->intervention->suite);
}

static bool has_attribution(const struct sweep_page *page)
{
    return page->intervention->suite->intervene.choose == CHOOSE_ATTRIBUTION;
}

static const json_t *point_of(const struct sweep_page *page, int64_t task)
{
    return json_array_get(json_object_get(page->sweep, "points"), (size_t)task);
}

/* --- above the drawings -------------------------------------------------------------- */

static void write_lead(const struct sweep_page *page)
{
    const enum clamp_kind kind = page->intervention->suite->intervene.clamp;

    fputs(": what it forgets, and what that costs. ", page->out);
    if (!has_latents(page))
        fputs("It is steered against the difference of means at the site of <code>", page->out);
    else if (clamp_steers(kind))
        fputs("It is steered against latents of <code>", page->out);
    else
        fputs("It runs with clamped latents of <code>", page->out);
    html_text(page->out, json_string_value(json_object_get(page->tasks[0], "autoencoder")));
    fprintf(page->out, "</code> (<code>clamp: %s</code>).</p>\n", clamp_name(kind));
}

static void write_known(const struct sweep_page *page, const char *kind, const char *title)
{
    const json_t *answers = json_object_get(page->tasks[0], kind);
    char unit[64];

    snprintf(unit, sizeof unit, "of %.0f", task_files_number(answers, "asked", NULL));
    html_card(page->out, title, task_files_number(answers, "known", NULL), NULL, unit);
}

/* Of the model as it is. */
static void write_loss(const struct sweep_page *page, const char *texts, const char *title)
{
    const json_t *loss = json_object_get(page->tasks[0], texts);

    html_card(page->out, title, task_files_number(loss, "loss", NULL)
                                - task_files_number(loss, "loss_added", NULL), "%.4f", "nats");
}

/* What counts as forgotten. */
static const char *measure_of(const struct sweep_page *page)
{
    if (has_questions(page))
        return "A question is known if the model as it is answers it right in all 24 orders of its "
               "choices; accuracies are those of known questions. The score is 1 less the lowest "
               "accuracy of the questions at which 0.99 of the controls stay right, as in "
               "SAEBench.";
    return "There are no questions. The likelihood of texts is the geometric mean of their tokens' "
           "probabilities, relative to that of the model as it is. The score is 1 less the lowest "
           "likelihood of the texts to be forgotten at which that of the retained ones stays at "
           "0.99 or above.";
}

static void write_cards(const struct sweep_page *page)
{
    fputs("<dl class=\"cards\">\n", page->out);
    html_card(page->out, "score", task_files_number(page->sweep, "score", NULL), "%.3f", "");
    if (has_questions(page)) {
        html_card(page->out, "score, given order",
                  task_files_number(page->sweep, "score_given_order", NULL), "%.3f", "");
        write_known(page, "questions", "questions known");
        write_known(page, "controls", "controls known");
    }
    write_loss(page, "forget", "loss on texts to be forgotten");
    write_loss(page, "retain", "loss on retained texts");
    if (!has_latents(page))
        html_card(page->out, "distance of the means",
                  task_files_number(page->tasks[0], "distance", NULL), "%.4g", "");
    fprintf(page->out, "</dl>\n<p class=\"note\">%s</p>\n", measure_of(page));
}

/* --- drawings ------------------------------------------------------------------------ */

/* The colour of the task's number of latents, from few to many. */
static int colour_of(const struct sweep_page *page, int64_t index)
{
    const int64_t count = page->intervention->suite->intervene.latents_count;

    return count > 1 && has_latents(page) ? 1 + (int)(index * (COLOURS - 1) / (count - 1))
                                          : COLOURS / 2;
}

static void write_legend(const struct sweep_page *page)
{
    const struct suite_intervene *i = &page->intervention->suite->intervene;

    if (!has_latents(page))
        return;
    fputs("<div class=\"legend\">\n", page->out);
    for (unsigned n = 0; n < i->latents_count; n++)
        fprintf(page->out,
                "<span><b style=\"color:var(--c%d)\">●</b>at most %lld latent%s</span>\n",
                colour_of(page, n), (long long)i->latents[n], i->latents[n] == 1 ? "" : "s");
    fputs("</div>\n", page->out);
}

static int by_x(const void *a, const void *b)
{
    const struct scatter_point *p = a, *q = b;

    return (p->x > q->x) - (p->x < q->x);
}

/* Points by what is left of what is to be forgotten, and another member of the sweep's points. */
static void list_points(struct scatter_point *points, const struct sweep_page *page,
                        const char *member)
{
    const struct suite_intervene *i = &page->intervention->suite->intervene;

    for (int64_t task = 0; task < page->count; task++) {
        const json_t *point = point_of(page, task);
        points[task] = (struct scatter_point){
            .name = json_string_value(json_object_get(point, "task")),
            .x = fmin(task_files_number(point, has_questions(page) ? "questions" : "forget",
                                        NULL), 1),
            .y = task_files_number(point, member, NULL),
            .colour = colour_of(page, task / i->strengths_count % i->latents_count),
            .on_front = json_is_true(json_object_get(point, "on_front")),
        };
    }
    qsort(points, (size_t)page->count, sizeof *points, by_x);
}

static void draw(const struct sweep_page *page, const char *member,
                 struct scatter_drawing drawing)
{
    struct scatter_point *points = allocate(page->count, sizeof *points);

    list_points(points, page, member);
    drawing.x_label = has_questions(page) ? "accuracy on the questions"
                                          : "likelihood of texts to be forgotten";
    drawing.x_name = has_questions(page) ? "questions" : "to be forgotten";
    drawing.points = points;
    drawing.count = page->count;
    scatter_drawing_write(page->out, &drawing);
    free(points);
}

static void write_drawings(const struct sweep_page *page)
{
    const bool asks = has_questions(page);

    fprintf(page->out,
            "<h2>What is forgotten, and what is kept</h2>\n<p>A point is a task. Best is "
            "the upper left corner of the first drawing: %s The line is the Pareto front, whose "
            "points have full colour in both drawings.</p>\n",
            asks ? "nothing is known of the questions, everything of the controls. Who guesses "
                   "among four choices is at 0.25."
                 : "the model expects nothing of the texts to be forgotten, and of the retained "
                   "ones as much as before.");
    write_legend(page);
    fputs("<div class=\"heats\">\n", page->out);
    draw(page, asks ? "controls" : "retain", (struct scatter_drawing){
        .title = asks ? "Accuracy on controls" : "Likelihood of retained texts",
        .y_label = asks ? "accuracy on the controls" : "likelihood of retained texts",
        .y_name = asks ? "controls" : "retained", .most = 1, .stairs = true,
    });
    draw(page, "loss_added", (struct scatter_drawing){
        .title = "Loss added on retained texts", .y_label = "loss added, nats",
        .y_name = "loss added",
    });
    fputs("</div>\n", page->out);
}

/* --- tables -------------------------------------------------------------------------- */

static void write_points(const struct sweep_page *page)
{
    fputs("<h2>All tasks</h2>\n", page->out);
    html_table_begin(page->out);
    if (has_latents(page)) {
        html_heading(page->out, "threshold");
        html_heading(page->out, "latents");
    }
    html_heading(page->out, "strength");
    if (has_questions(page)) {
        html_heading(page->out, "questions");
        html_heading(page->out, "controls");
    }
    html_heading(page->out, "likelihood, to be forgotten");
    html_heading(page->out, "likelihood, retained");
    html_heading(page->out, "loss added, nats");
    html_heading_text(page->out, "on the front");
    html_table_rows(page->out);
    for (int64_t task = 0; task < page->count; task++) {
        const json_t *point = point_of(page, task);
        fputs("<tr>", page->out);
        if (has_latents(page)) {
            html_cell(page->out, task_files_number(point, "threshold", NULL), "%g");
            html_cell(page->out, task_files_number(point, "latents", NULL), "%.0f");
        }
        html_cell(page->out, task_files_number(point, "strength", NULL), "%g");
        if (has_questions(page)) {
            html_cell(page->out, task_files_number(point, "questions", NULL), "%.3f");
            html_cell(page->out, task_files_number(point, "controls", NULL), "%.3f");
        }
        html_cell(page->out, task_files_number(point, "forget", NULL), "%.3f");
        html_cell(page->out, task_files_number(point, "retain", NULL), "%.3f");
        html_cell(page->out, task_files_number(point, "loss_added", NULL), "%.4f");
        html_cell_text(page->out,
                       json_is_true(json_object_get(point, "on_front")) ? "yes" : "");
        fputs("</tr>\n", page->out);
    }
    html_table_end(page->out);
}

/* The latents of a task are the first of those of a task with more, if the threshold is the same.
 * So the longest list of each threshold has them all. */
static const json_t *longest_list(const struct sweep_page *page, int64_t first, int64_t count)
{
    const json_t *longest = NULL;

    for (int64_t task = first; task < first + count; task++) {
        const json_t *list = json_object_get(page->tasks[task], "latents");
        if (json_array_size(list) > json_array_size(longest))
            longest = list;
    }
    return longest;
}

static void write_latent(const struct sweep_page *page, double threshold, const json_t *latent)
{
    fputs("<tr>", page->out);
    html_cell(page->out, threshold, "%g");
    html_cell(page->out, task_files_number(latent, "latent", NULL), "%.0f");
    html_cell(page->out, task_files_number(latent, "forget", NULL), "%.4g");
    html_cell(page->out, task_files_number(latent, "retain", NULL), "%.4g");
    if (has_attribution(page))
        html_cell(page->out, task_files_number(latent, "attribution", NULL), "%.4g");
    fputs("</tr>\n", page->out);
}

static void write_latents(const struct sweep_page *page)
{
    const struct suite_intervene *i = &page->intervention->suite->intervene;
    const int64_t each = page->count / i->thresholds_count;

    if (!has_latents(page))
        return;
    fprintf(page->out, "<h2>The latents</h2>\n<p>Those that were chosen, the first %d of each "
            "threshold, and the shares of the tokens on which they fire.", MOST_ROWS);
    if (has_attribution(page))
        fputs(" The attribution of a latent is about what the right answers' logit loses, next to "
              "the mean of the wrong ones, without it.", page->out);
    fputs("</p>\n", page->out);
    html_table_begin(page->out);
    html_heading(page->out, "threshold");
    html_heading(page->out, "latent");
    html_heading(page->out, "texts to be forgotten");
    html_heading(page->out, "retained texts");
    if (has_attribution(page))
        html_heading(page->out, "attribution");
    html_table_rows(page->out);
    for (unsigned t = 0; t < i->thresholds_count; t++) {
        const json_t *list = longest_list(page, t * each, each), *latent;
        size_t row;
        json_array_foreach(list, row, latent)
            if (row < MOST_ROWS)
                write_latent(page, i->thresholds[t], latent);
    }
    html_table_end(page->out);
}

enum status unlearning_page_write(const struct intervention *intervention, const json_t *sweep,
                                  json_t *const *tasks)
{
    const struct intervention_method *method = interventions_of(intervention->suite);
    const struct circuit task = interventions_task(intervention, method->name);
    struct task_page file;
    struct sweep_page page = {
        .intervention = intervention, .sweep = sweep, .tasks = tasks,
        .count = method->tasks(intervention->suite),
    };

    task_page_begin(&file, &task, method->name);
    file.without_table = true;
    page.out = file.out;
    write_lead(&page);
    write_cards(&page);
    write_drawings(&page);
    write_points(&page);
    write_latents(&page);
    return task_page_write(&file);
}

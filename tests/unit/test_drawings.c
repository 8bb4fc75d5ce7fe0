/* What pages draw: maps of heads by sign and size, edges from node to node, layers upward, points
 * by their numbers. */
#include "base/html.h"
#include "intervene/scatter_drawing.h"
#include "methods/graph_drawing.h"
#include "methods/head_columns.h"
#include "methods/heat_map.h"
#include "methods/roc_drawing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 1 << 20 };        /* bytes of what is drawn here */

static struct graph graph_of(int layers, int heads, bool parallel)
{
    const struct lm_config config = { .layers = layers, .heads = heads, .kv_heads = heads,
                                      .mlp_width = 1, .parallel = parallel };
    struct graph graph;

    assert_int_equal(graph_make(&graph, &config, false), OK);
    return graph;
}

/* An edge by the names of its nodes; sender NULL: a direct one. */
static struct graph_drawing_edge edge_of(const struct graph *graph, const char *sender,
                                         const char *receiver, double number)
{
    struct graph_drawing_edge edge = { .sender = -1, .number = number };

    if (sender != NULL)
        assert_int_equal(graph_sender_parse(&edge.sender, graph, sender, "here"), OK);
    assert_int_equal(graph_receiver_parse(&edge.receiver, graph, receiver, "here"), OK);
    return edge;
}

/* Text of a map, of a drawing, of escaped text.  Caller frees. */
static char *map_text(const struct heat_map *map)
{
    char *text = calloc(1, MOST);
    FILE *out = fmemopen(text, MOST, "w");

    heat_map_write(out, map);
    fclose(out);
    return text;
}

static char *drawing_text(const struct graph *graph, const struct graph_drawing_edge *edges,
                          int64_t count, double sign)
{
    char *text = calloc(1, MOST);
    FILE *out = fmemopen(text, MOST, "w");

    graph_drawing_write(out, graph, edges, count, sign);
    fclose(out);
    return text;
}

static int64_t count_of(const char *text, const char *word)
{
    int64_t count = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

/* --- maps of heads ----------------------------------------------------------------------- */

static void a_colour_says_sign_and_size(void **state)
{
    const double value[] = { 1, -2, 0, NAN };
    const struct heat_map map = { .title = "a & b", .value = value, .layers = 2, .heads = 2 };
    char *text = map_text(&map);

    (void)state;
    assert_non_null(strstr(text, "<figcaption>a &amp; b</figcaption>"));
    /* Layer 1 lies above layer 0. */
    assert_non_null(strstr(text,
                           "<rect class=\"plus\" x=\"22\" y=\"27\" width=\"24\" height=\"24\" "
                           "fill-opacity=\"0.500\"><title>0.0: 1</title></rect>"));
    assert_non_null(strstr(text,
                           "<rect class=\"minus\" x=\"48\" y=\"27\" width=\"24\" height=\"24\" "
                           "fill-opacity=\"1.000\"><title>0.1: -2</title></rect>"));
    assert_non_null(strstr(text, "fill-opacity=\"0.000\"><title>1.0: 0</title></rect>"));
    assert_non_null(strstr(text, "<rect class=\"unknown\" x=\"48\" y=\"1\""));
    assert_non_null(strstr(text, "<title>1.1: not known</title>"));
    assert_non_null(strstr(text, ">-2</text>"));
    free(text);
}

static void names_the_largest_heads_and_the_first_of_equals(void **state)
{
    const double value[] = { 1, -3, NAN, 3, 0.5, 2 };
    const struct heat_map map = { .title = "t", .value = value, .layers = 2, .heads = 3 };
    char *text = map_text(&map);

    (void)state;
    assert_non_null(strstr(text, "<p class=\"note\">0.1: -3, 1.0: 3, 1.2: 2, 0.0: 1</p>"));
    free(text);
}

/* Shares have a scale that begins at 0. */
static void a_scale_has_the_signs_that_occur(void **state)
{
    const double shares[] = { 0, 0.25 }, nothing[] = { 0, 0 }, unknown[] = { NAN, NAN };
    const struct heat_map map = { .title = "t", .value = shares, .layers = 1, .heads = 2 };
    const struct heat_map zeros = { .title = "t", .value = nothing, .layers = 1, .heads = 2 };
    const struct heat_map none = { .title = "t", .value = unknown, .layers = 1, .heads = 2 };
    char *text = map_text(&map), *flat = map_text(&zeros), *empty = map_text(&none);

    (void)state;
    assert_null(strstr(text, "minus"));
    assert_null(strstr(text, "-0.25"));
    assert_non_null(strstr(text, ">0.25</text>"));
    assert_null(strstr(flat, "-0"));
    assert_null(strstr(flat, "nan"));
    assert_string_equal(empty, "");
    free(empty);
    free(flat);
    free(text);
}

/* Maps that are to be compared have one scale, whatever their numbers. */
static void a_scale_may_be_given_and_cells_outlined(void **state)
{
    const double value[] = { 0.5, -4 };
    const bool marked[] = { false, true };
    const struct heat_map map = { .title = "t", .value = value, .layers = 1, .heads = 2,
                                  .full = 2, .marked = marked };
    char *text = map_text(&map);

    (void)state;
    assert_non_null(strstr(text, "<rect class=\"plus\" x=\"22\" y=\"1\" width=\"24\" height=\"24\" "
                                 "fill-opacity=\"0.250\"><title>0.0: 0.5</title>"));
    assert_non_null(strstr(text, "<rect class=\"minus marked\" x=\"48\" y=\"1\" width=\"24\" "
                                 "height=\"24\" fill-opacity=\"1.000\"><title>0.1: -4</title>"));
    assert_int_equal(count_of(text, "marked"), 1);
    assert_non_null(strstr(text, ">-2</text>"));
    free(text);
}

/* Heads with numbers in several columns: a map of each, and a table by one of them. */
static void the_largest_heads_of_a_column_are_tabulated(void **state)
{
    const struct lm_config config = { .layers = 2, .heads = 2 };
    struct head_columns columns;
    char *text = calloc(1, MOST);
    FILE *out = fmemopen(text, MOST, "w");

    (void)state;
    head_columns_make(&columns, &config, 2);
    double *first = head_columns_add(&columns, "%.1f", 0, "a & b");
    double *second = head_columns_add(&columns, "%.3g", 0, "c");
    first[0] = 0.04, first[1] = -2, first[3] = 1;
    second[1] = 7e-5, second[2] = 9;
    head_columns_write_table(out, &columns, 0, 2);
    fputs("end", out);
    head_columns_write_table(out, &columns, 0, 9);
    head_columns_write_maps(out, &columns, "Note.");
    fclose(out);
    /* 0.04 is 0 in this format; head 1.0 has no number. */
    assert_ptr_equal(strstr(text, "<th class=\"text\">head</th><th>a &amp; b</th><th>c</th></tr>"
                                  "</thead>\n<tbody>\n<tr><td class=\"text\">0.1</td><td>-2.0</td>"
                                  "<td>7e-05</td></tr>\n<tr><td class=\"text\">1.1</td><td>1.0</td>"
                                  "<td>&ndash;</td></tr>\n</tbody></table></div>\nend"),
                     strstr(text, "<th class"));
    assert_non_null(strstr(text, "<tr><td class=\"text\">0.0</td><td>0</td><td>&ndash;</td></tr>\n"
                                 "</tbody>"));
    assert_int_equal(count_of(text, "<figure>"), 2);
    assert_int_equal(count_of(text, "Note."), 1);
    head_columns_free(&columns);
    free(text);
}

/* --- graphs ------------------------------------------------------------------------------ */

static void edges_of_two_nodes_are_one_line(void **state)
{
    const struct graph graph = graph_of(2, 2, false);
    const struct graph_drawing_edge edges[] = {
        edge_of(&graph, "a0.1", "a1.0.v", -4), edge_of(&graph, NULL, "a1.0.v", 0.25),
        edge_of(&graph, "embed", "a0.1.k", 1), edge_of(&graph, "a0.1", "a1.0.q", 1.5),
    };
    char *text = drawing_text(&graph, edges, 4, 1), *turned = drawing_text(&graph, edges, 4, -1);

    (void)state;
    assert_int_equal(count_of(text, "class=\"edge\""), 2);
    assert_non_null(strstr(text, "<g class=\"minus\"><title>a0.1 → a1.0.q: 1.5\n"
                                 "a0.1 → a1.0.v: -4</title>"));
    assert_non_null(strstr(text, "<g class=\"plus\"><title>embed → a0.1.k: 1</title>"));
    assert_non_null(strstr(text, "<title>a1.0\ndirect a1.0.v: 0.25</title>"));
    assert_non_null(strstr(turned, "<g class=\"plus\"><title>a0.1 → a1.0.q: 1.5\n"));
    assert_non_null(strstr(turned, "<g class=\"minus\"><title>embed"));
    /* The strongest comes last, above the others, and is 0.8 + 5 wide, a quarter 0.8 + 2.5. */
    assert_non_null(strstr(strstr(text, "stroke-width=\"3.30\""), "stroke-width=\"5.80\""));
    /* Boxes for embed, a0.1 and a1.0; dots for two heads, two MLPs and the end. */
    assert_int_equal(count_of(text, "<rect"), 3);
    assert_int_equal(count_of(text, "<circle"), 5);
    free(turned);
    free(text);
}

/* Where the box of a node is.  It must be there, within the drawing. */
static void find_box(const char *text, const char *name, double *x, double *y)
{
    const char *box = NULL;
    char label[64];
    double width, height;

    snprintf(label, sizeof label, "\">%s</text>", name);
    const char *end = strstr(text, label);
    assert_non_null(end);
    for (const char *at = text; (at = strstr(at, "<rect")) != NULL && at < end; at++)
        box = at;
    assert_non_null(box);
    assert_int_equal(sscanf(box, "<rect x=\"%lf\" y=\"%lf\"", x, y), 2);
    assert_int_equal(sscanf(strstr(text, "viewBox"), "viewBox=\"0 0 %lf %lf", &width, &height), 2);
    assert_true(*x >= 0 && *x + 42 <= width && *y >= 0 && *y + 18 <= height);
}

static void check_places(int layers, int heads, bool parallel)
{
    const struct graph graph = graph_of(layers, heads, parallel);
    char last[GRAPH_NAME], mlp[GRAPH_NAME];
    double x[5], y[5];

    graph_sender_name(last, &graph, graph_head(&graph, layers - 1, heads - 1));
    graph_sender_name(mlp, &graph, graph_mlp(&graph, layers - 1));
    const struct graph_drawing_edge edges[] = {
        edge_of(&graph, "embed", "final", 1), edge_of(&graph, "a0.0", "final", 1),
        edge_of(&graph, last, "final", 1), edge_of(&graph, mlp, "final", 1),
    };
    const char *const names[] = { "embed", "a0.0", last, mlp, "final" };
    char *text = drawing_text(&graph, edges, 4, 1);

    for (int i = 0; i < 5; i++)
        find_box(text, names[i], &x[i], &y[i]);
    assert_true(y[0] > y[1] && y[1] > y[2] && y[2] >= y[3] && y[3] > y[4]);
    assert_int_equal(y[2] == y[3], parallel);
    assert_true(x[2] - x[1] >= (heads - 1) * 42 && x[3] - x[2] >= 42);
    free(text);
}

static void layers_lie_upward_and_heads_side_by_side(void **state)
{
    (void)state;
    check_places(2, 1, false);
    check_places(4, 8, true);
    check_places(12, 12, false);
    check_places(32, 32, false);
}

/* --- curves ------------------------------------------------------------------------------ */

/* Between two points a curve goes to the right first, so the area below it is the certain one. */
static void a_curve_is_a_staircase(void **state)
{
    json_t *curves = json_pack("{s:{s:[[f,f],[f,f],[f,f]], s:f}}", "by_nodes", "points", 0.0, 0.0,
                               0.25, 0.5, 1.0, 1.0, "area", 0.375);
    char *text = calloc(1, MOST);
    FILE *out = fmemopen(text, MOST, "w");

    (void)state;
    roc_drawing_write_both(out, curves, "a < b");
    fclose(out);
    assert_int_equal(count_of(text, "<figure>"), 1);
    assert_non_null(strstr(text, "a &lt; b, by nodes: area 0.375</figcaption>"));
    /* The square of 220 pixels begins at (52, 10). */
    assert_non_null(strstr(text, "class=\"line\" d=\"M52.0 230.0H107.0V120.0H272.0V10.0\"/>"));
    assert_non_null(strstr(text, "V10.0V230H52Z\"/>"));
    assert_non_null(strstr(text, "<circle cx=\"107.0\" cy=\"120.0\" r=\"3\"><title>wrong 0.25, "
                                 "right 0.5</title>"));
    assert_int_equal(count_of(text, "<circle"), 3);
    json_decref(curves);
    free(text);
}

/* --- points ------------------------------------------------------------------------------ */

/* The square of 300 pixels begins at (64, 10); its vertical axis goes from -0.5 to 1 in steps of
 * 0.25, 50 pixels each. */
static void points_lie_by_their_numbers(void **state)
{
    const struct scatter_point points[] = {
        { "a", 0, -0.3, 1, true }, { "b", 0.5, 0.9, 2, true }, { "c<", 0.75, 0.25, 3, false },
        { "d", 1, (double)NAN, 4, true },
    };
    const struct scatter_drawing drawing = {
        .title = "T", .x_label = "X", .y_label = "Y", .x_name = "x", .y_name = "y",
        .stairs = true, .points = points, .count = 4,
    };
    char *text = calloc(1, MOST);
    FILE *out = fmemopen(text, MOST, "w");

    (void)state;
    scatter_drawing_write(out, &drawing);
    fclose(out);
    assert_non_null(strstr(text, "class=\"line\" d=\"M64.0 270.0H214.0V30.0\"/>"));
    assert_non_null(strstr(text, "<circle style=\"color:var(--c1)\" cx=\"64.0\" cy=\"270.0\" "
                                 "r=\"4\"><title>a, x: 0\na, y: -0.3</title></circle>"));
    assert_non_null(strstr(text, "<circle class=\"pale\" style=\"color:var(--c3)\" cx=\"289.0\" "
                                 "cy=\"160.0\" r=\"4\"><title>c&lt;, x: 0.75"));
    assert_int_equal(count_of(text, "<circle"), 3);
    assert_non_null(strstr(text, "y=\"314.0\">-0.5</text>"));
    assert_non_null(strstr(text, "y=\"214.0\">0</text>"));
    assert_non_null(strstr(text, "y=\"14.0\">1</text>"));
    assert_int_equal(count_of(text, "class=\"end\""), 7);
    free(text);
}

/* --- text -------------------------------------------------------------------------------- */

static void a_page_shows_any_text(void **state)
{
    char *text = calloc(1, MOST);
    FILE *out = fmemopen(text, MOST, "w");

    (void)state;
    html_text(out, "<a href=\"x\">&");
    html_text(out, NULL);
    fputs(" ", out);
    html_count(out, 65280);
    fputs(" ", out);
    html_count(out, 2e6);
    fclose(out);
    assert_string_equal(text, "&lt;a href=&quot;x&quot;&gt;&amp; 65,280 2.00 million");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_colour_says_sign_and_size),
        cmocka_unit_test(names_the_largest_heads_and_the_first_of_equals),
        cmocka_unit_test(a_scale_has_the_signs_that_occur),
        cmocka_unit_test(a_scale_may_be_given_and_cells_outlined),
        cmocka_unit_test(the_largest_heads_of_a_column_are_tabulated),
        cmocka_unit_test(edges_of_two_nodes_are_one_line),
        cmocka_unit_test(layers_lie_upward_and_heads_side_by_side),
        cmocka_unit_test(a_curve_is_a_staircase),
        cmocka_unit_test(points_lie_by_their_numbers),
        cmocka_unit_test(a_page_shows_any_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

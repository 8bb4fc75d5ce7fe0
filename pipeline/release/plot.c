#include "release/plot.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Placeholders for the page's colours in gnuplot's script: red and green are 0, blue is one of
 * these or the number of a series' colour. */
enum { BLUE_GRID = 253, BLUE_AXIS = 254, BLUE_INK = 255 };

int plot_colour(int index, int count)
{
    if (count <= 1)
        return PLOT_COLOURS / 2;
    return 1 + (index * (PLOT_COLOURS - 1) + (count - 1) / 2) / (count - 1);
}

const char *plot_shape(int shape)
{
    static const char *const SHAPES[PLOT_SHAPES] = { "●", "■", "▲", "◆" };

    return SHAPES[shape];
}

/* ---- running gnuplot ------------------------------------------------------------ */

static FILE *memory_file(void)
{
    const int fd = memfd_create("plot", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

    if (file == NULL)
        die("no memory for a plot");
    return file;
}

/* Read a whole file as text, and close it.  Caller frees. */
static char *take_text(FILE *file)
{
    char *text;
    long size;

    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    text = allocate(size + 1, 1);
    if (fread(text, 1, (size_t)size, file) != (size_t)size)
        die_as(E_IO, "lost what gnuplot wrote");
    fclose(file);
    return text;
}

/* The last line that is not empty, without the line ends after it. */
static const char *last_line(char *text)
{
    char *end = text + strlen(text);

    while (end > text && end[-1] == '\n')
        *--end = '\0';
    end = strrchr(text, '\n');
    return end == NULL ? text : end + 1;
}

/* Run gnuplot on a script, without the user's settings.  Caller frees *text. */
static enum status run_gnuplot(char **text, FILE *script)
{
    static char program[] = "gnuplot", defaults[] = "--default-settings", standard_input[] = "-";
    char *const arguments[] = { program, defaults, standard_input, NULL };
    FILE *output = memory_file(), *messages = memory_file();
    posix_spawn_file_actions_t files;
    enum status st = OK;
    int error, state = 0;
    char *message;
    pid_t child;

    rewind(script);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fileno(script), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, fileno(output), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, fileno(messages), STDERR_FILENO);
    error = posix_spawnp(&child, program, &files, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    if (error == 0)
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            continue;

    *text = take_text(output);
    message = take_text(messages);
    if (error != 0)
        st = refuse(E_IO, "cannot start gnuplot, which draws the plots of the report: %s; "
                    "install gnuplot-nox", strerror(error));
    else if (state != 0)
        st = refuse(E_IO, "gnuplot failed on a plot of the report: %.200s", last_line(message));
    free(message);
    return st;
}

/* ---- the script ----------------------------------------------------------------- */

/* Write size, margins, colours and titles. */
static void write_settings(FILE *script, const struct plot *plot)
{
    fprintf(script,
            "set encoding utf8\n"
            "set terminal svg size 360,250 dynamic enhanced font 'inherit,12' linewidth 1\n"
            "set border 3 lc rgb '#%06x'\n"
            "set tics nomirror scale 0.5 textcolor rgb '#%06x'\n"
            "set grid lc rgb '#%06x' lt 1 lw 0.7\n"
            "set key off\n"
            "set lmargin 8.5\nset rmargin 1.5\nset tmargin 2\nset bmargin 3.2\n",
            BLUE_AXIS, BLUE_INK, BLUE_GRID);
    fprintf(script, "set title '%s' textcolor rgb '#%06x' offset 0,-0.6\n", plot->title,
            BLUE_INK);
    fprintf(script, "set xlabel '%s' textcolor rgb '#%06x' offset 0,0.4\n", plot->x_label,
            BLUE_INK);
    fprintf(script, "set ylabel '%s' textcolor rgb '#%06x' offset 1,0\n", plot->y_label,
            BLUE_INK);
}

static bool is_drawn(const struct plot *plot, double x, double y)
{
    return isfinite(x) && isfinite(y) && (x > 0 || !plot->log_x) && (y > 0 || !plot->log_y);
}

/* The smallest and the largest x, or y, of the points that are drawn. */
static void find_range(double range[2], const struct plot *plot, bool along_x)
{
    range[0] = HUGE_VAL;
    range[1] = -HUGE_VAL;
    for (int s = 0; s < plot->count; s++)
        for (int64_t i = 0; i < plot->series[s].count; i++) {
            const double x = plot->series[s].x[i], y = plot->series[s].y[i];

            if (!is_drawn(plot, x, y))
                continue;
            range[0] = fmin(range[0], along_x ? x : y);
            range[1] = fmax(range[1], along_x ? x : y);
        }
}

/* Write a logarithmic axis with a margin at both ends.  The fewer decades, the more round
 * numbers of each get a label, so that a few are in the range; over many decades only powers of
 * ten. */
static void write_log_axis(FILE *script, char axis, const struct plot *plot)
{
    static const double FINE[] = { 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9 };
    static const double COARSE[] = { 1, 2, 5 };
    double range[2];

    find_range(range, plot, axis == 'x');
    const double decades = log10(range[1] / range[0]);
    const double margin = pow(10, fmax(0.05 * decades + 0.03, (0.3 - decades) / 2));
    const double *tics = decades < 0.7 ? FINE : COARSE;
    const int count = decades < 0.7 ? sizeof FINE / sizeof *FINE
                                    : decades < 2.5 ? sizeof COARSE / sizeof *COARSE : 1;
    const double first = floor(log10(range[0] / margin)), last = ceil(log10(range[1] * margin));
    const char *comma = "";

    fprintf(script, "set logscale %c\nset %crange [%.6g:%.6g]\nset %ctics (", axis, axis,
            range[0] / margin, range[1] * margin, axis);
    for (double d = first; d <= last; d++)
        for (int i = 0; i < count; i++, comma = ", ")
            if (count > 1)
                fprintf(script, "%s%.2ge%.0f", comma, tics[i], d);
            else
                fprintf(script, "%s'10^{%.0f}' 1e%.0f", comma, d, d);
    fputs(")\n", script);
}

/* Write a y axis from 0, or from below the smallest negative value, to above the largest value. */
static void write_linear_y(FILE *script, const struct plot *plot)
{
    double range[2];

    find_range(range, plot, false);
    const double most = fmax(range[1], 0), least = fmin(range[0], 0);
    const double margin = most > least ? 0.06 * (most - least) : 1;
    fprintf(script, "set yrange [%.6g:%.6g]\n", least < 0 ? least - margin : 0, most + margin);
}

static void write_axes(FILE *script, const struct plot *plot)
{
    fputs("set format '%.4g'\n", script);
    if (plot->log_x)
        write_log_axis(script, 'x', plot);
    if (plot->log_y)
        write_log_axis(script, 'y', plot);
    else
        write_linear_y(script, plot);
}

/* Write the data of all series, and the command that draws those with points.  False if there
 * are no points. */
static bool write_series(FILE *script, const struct plot *plot)
{
    bool any = false;

    write_axes(script, plot);
    for (int s = 0; s < plot->count; s++) {
        const struct plot_series *series = &plot->series[s];

        fprintf(script, "$d%d << END\n", s);
        for (int64_t i = 0; i < series->count; i++)
            if (is_drawn(plot, series->x[i], series->y[i]))
                fprintf(script, "%.6g %.6g\n", series->x[i], series->y[i]);
        fputs("END\n", script);
    }
    for (int s = 0; s < plot->count; s++) {
        static const int POINT_TYPES[PLOT_SHAPES] = { 7, 5, 9, 13 };
        const struct plot_series *series = &plot->series[s];
        bool drawn = false;

        for (int64_t i = 0; i < series->count; i++)
            drawn = drawn || is_drawn(plot, series->x[i], series->y[i]);
        if (!drawn)
            continue;
        fprintf(script, "%s$d%d using 1:2 with %s lc rgb '#%06x' lw 1.6", any ? ", " : "plot ",
                s, plot->steps ? "steps" : plot->marks ? "linespoints" : "lines",
                series->colour);
        if (plot->marks)
            fprintf(script, " pt %d ps 0.55", POINT_TYPES[series->shape]);
        fprintf(script, " title '%s'", series->label);
        any = true;
    }
    fputc('\n', script);
    return any;
}

/* ---- gnuplot's SVG in the page --------------------------------------------------- */

static void write_colour(FILE *out, int blue)
{
    if (blue == BLUE_GRID)
        fputs("var(--grid)", out);
    else if (blue == BLUE_AXIS)
        fputs("var(--axis)", out);
    else if (blue == BLUE_INK)
        fputs("var(--ink)", out);
    else
        fprintf(out, "var(--c%d)", blue);
}

/* The length of an empty group at `from`, of which gnuplot makes many; 0 if there is none. */
static size_t empty_group(const char *from)
{
    static const char BEGIN[] = "<g ", END[] = ">\n</g>\n";
    const char *end = strchr(from, '>');

    if (strncmp(from, BEGIN, sizeof BEGIN - 1) != 0 || end == NULL
        || strncmp(end, END, sizeof END - 1) != 0)
        return 0;
    return (size_t)(end - from) + sizeof END - 1;
}

/* Write the <svg> element with the page's colours, and without gnuplot's title, which browsers
 * would show as a hint. */
static enum status write_svg(FILE *out, const char *svg)
{
    const char *from = strstr(svg, "<svg"), *title = strstr(svg, "<title>");
    const char *title_end = strstr(svg, "</desc>");

    if (from == NULL || title == NULL || title_end == NULL)
        return refuse(E_IO, "gnuplot failed on a plot of the report: %.200s", svg);
    while (*from != '\0') {
        const size_t nothing = *from == '<' ? empty_group(from) : 0;
        int blue, length = 0;

        if (from == title) {
            from = title_end + strlen("</desc>");
        } else if (nothing > 0) {
            from += nothing;
        } else if (strncmp(from, "rgb(", 4) == 0
                   && sscanf(from, "rgb( 0, 0, %d)%n", &blue, &length) == 1 && length > 0) {
            write_colour(out, blue);
            from += length;
        } else {
            fputc(*from++, out);
        }
    }
    return OK;
}

enum status plot_draw(FILE *out, const struct plot *plot)
{
    FILE *script;
    char *svg = NULL;
    enum status st = OK;

    if (plot->undrawn) {
        fputs(PLOT_UNDRAWN, out);
        return OK;
    }
    script = memory_file();
    write_settings(script, plot);
    if (write_series(script, plot)) {
        TRY(run_gnuplot(&svg, script));
        TRY(write_svg(out, svg));
    } else {
        fprintf(out, "<p class=\"empty\">%s: nothing to draw</p>\n", plot->title);
    }
done:
    fclose(script);
    free(svg);
    return st;
}

enum status plot_version(char version[64])
{
    FILE *script = memory_file();
    char *text = NULL;
    enum status st;

    fputs("set print '-'\nprint sprintf('%.1f patchlevel %s', GPVAL_VERSION, "
          "GPVAL_PATCHLEVEL)\n", script);
    st = run_gnuplot(&text, script);
    if (st == OK)
        snprintf(version, 64, "%.*s", (int)strcspn(text, "\n"), text);
    fclose(script);
    free(text);
    return st;
}

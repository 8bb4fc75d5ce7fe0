#include "release/page.h"
#include "base/allocate.h"
#include "release/plot.h"

#include <stdlib.h>
#include <string.h>

static const char PLOT[] = "<svg", PLOT_END[] = "</svg>";
static const char EMPTY[] = "<p class=\"empty\">", EMPTY_END[] = "</p>";

/* What gnuplot draws with. */
static const char *const ELEMENTS[] = {
    "svg",         "g",    "path",  "rect",  "circle", "defs",    "filter",   "feFlood",
    "feComposite", "text", "tspan", "title", "use",    "polygon", "polyline", "line",
};

/* The end, with its line ends, of the first plot, or empty one, at or after *from, which becomes
 * its beginning; NULL if there is no more. */
static const char *find_plot(const char **from)
{
    const char *plot = strstr(*from, PLOT), *empty = strstr(*from, EMPTY), *end;

    if (plot == NULL && empty == NULL)
        return NULL;
    const bool is_plot = empty == NULL || (plot != NULL && plot < empty);
    *from = is_plot ? plot : empty;
    end = strstr(*from, is_plot ? PLOT_END : EMPTY_END);
    if (end == NULL)
        return NULL;
    end += strlen(is_plot ? PLOT_END : EMPTY_END);
    return end + strspn(end, "\n");
}

static bool is_known(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++)
        if (strlen(ELEMENTS[i]) == length && strncmp(ELEMENTS[i], name, length) == 0)
            return true;
    return false;
}

/* Is a tag, from its '<' to its '>', one that only draws? */
static bool is_harmless(const char *tag, const char *end)
{
    const char *name = tag + 1 + (tag[1] == '/');
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (!is_known(name, length))
        return false;
    for (const char *at = name + length; at < end; at++) {
        const char *word = at + 1;

        if (strchr(" \t\r\n\f/'\"", *at) == NULL)
            continue;
        if (strncasecmp(word, "on", 2) == 0 || strncasecmp(word, "style", 5) == 0)
            return false;
        if (strncasecmp(word, "href", 4) == 0 || strncasecmp(word, "xlink:href", 10) == 0) {
            const char *value = strchr(word, '=');

            if (value == NULL || value >= end || strncmp(value, "='#", 3) != 0)
                return false;
        }
    }
    return true;
}

static bool plot_is_harmless(const char *from, const char *end)
{
    while ((from = strchr(from, '<')) != NULL && from < end) {
        const char *close = strchr(from, '>');

        if (close == NULL || close >= end || !is_harmless(from, close))
            return false;
        from = close;
    }
    return true;
}

/* Is it, in place of a plot, words without tags? */
static bool is_words(const char *from, const char *end)
{
    const char *tag = from + strlen(EMPTY);

    if (strncmp(from, EMPTY, strlen(EMPTY)) != 0)
        return false;
    tag += strcspn(tag, "<");
    return tag < end && strncmp(tag, EMPTY_END, strlen(EMPTY_END)) == 0;
}

enum status page_check_plots(const char *page, int64_t bytes, const char *path)
{
    const char *end;
    enum status st;

    REQUIRE((int64_t)strlen(page) == bytes, E_FORMAT, "%s holds a NUL", path);
    for (const char *from = page; (end = find_plot(&from)) != NULL; from = end)
        REQUIRE(is_words(from, end) || plot_is_harmless(from, end), E_FORMAT,
                "%s: the plot at byte "
                "%lld does more than draw; fetch it again",
                path, (long long)(from - page));
done:
    return st;
}

char *page_without_plots(const char *page)
{
    const size_t longest = strlen(page) + 1;
    char *text = allocate((long long)longest, 1), *to = text;
    const char *begin = page, *end;

    /* No plot is shorter than what takes its place. */
    for (const char *from = page; (end = find_plot(&from)) != NULL; from = begin = end) {
        memcpy(to, begin, (size_t)(from - begin));
        to += from - begin;
        memcpy(to, PLOT_UNDRAWN, strlen(PLOT_UNDRAWN));
        to += strlen(PLOT_UNDRAWN);
    }
    memcpy(to, begin, strlen(begin) + 1);
    return text;
}

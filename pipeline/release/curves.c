#include "release/curves.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/split.h"

#include <stdlib.h>
#include <string.h>

static const char *const NAMES[CURVE_COLUMNS] = { "rows", "loss", "fvu", "l0", "dead" };

enum { COLUMNS_MAX = 64 };

static int64_t count_lines(const char *text)
{
    int64_t lines = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

/* Find the file's column for each of ours. */
static enum status find_columns(int at[CURVE_COLUMNS], char *header, const char *path)
{
    char *name;
    int column = 0;

    for (int c = 0; c < CURVE_COLUMNS; c++)
        at[c] = -1;
    for (; (name = strsep(&header, "\t")) != NULL; column++)
        for (int c = 0; c < CURVE_COLUMNS; c++)
            if (strcmp(name, NAMES[c]) == 0)
                at[c] = column;
    for (int c = 0; c < CURVE_COLUMNS; c++)
        if (at[c] < 0 || at[c] >= COLUMNS_MAX)
            return refuse(E_FORMAT, "cannot read the training log %s: it has no column '%s'",
                          path, NAMES[c]);
    return OK;
}

/* Parse a line, and add its step to a point. */
static enum status add_step(struct curve *curve, int64_t point, const int at[CURVE_COLUMNS],
                            char *line, const char *path, int64_t number)
{
    double values[COLUMNS_MAX];
    char *field, *end;
    int columns = 0;

    while ((field = strsep(&line, "\t")) != NULL && columns < COLUMNS_MAX) {
        values[columns++] = strtod(field, &end);
        if (end == field || *end != '\0')
            return refuse(E_FORMAT, "cannot read the training log %s: line %lld has '%s' for a "
                          "number", path, (long long)number, field);
    }
    for (int c = 0; c < CURVE_COLUMNS; c++) {
        if (at[c] >= columns)
            return refuse(E_FORMAT, "cannot read the training log %s: line %lld is cut short",
                          path, (long long)number);
        if (c == CURVE_ROWS)
            curve->column[c][point] = values[at[c]];
        else
            curve->column[c][point] += values[at[c]];
    }
    return OK;
}

/* Check the last line, "# identity HASH PLACE", and cut it off. */
static enum status check_identity(char *text, const char *path, const struct identity *wanted)
{
    static const char BEGIN[] = "\n# identity ";
    char *line = strstr(text, BEGIN), *place;
    enum status st;

    REQUIRE(line != NULL, E_FORMAT, "the training log %s does not say which it is, as those of an "
            "earlier version; remove it and its autoencoder, and train that again", path);
    const uint64_t hash = strtoull(line + sizeof BEGIN - 1, &place, 16);
    place += strspn(place, " ");
    place[strcspn(place, "\n")] = '\0';
    TRY(identity_compare(path, place, hash, NULL, wanted));
    line[1] = '\0';
done:
    return st;
}

enum status curves_read(struct curve *curve, const char *path, const struct identity *wanted)
{
    char *text = NULL, *rest;
    int64_t size, steps;
    int at[CURVE_COLUMNS];
    enum status st;

    *curve = (struct curve){0};
    TRY(file_read(path, &text, &size));
    TRY(checksum_cut(text, &size, path));
    TRY(check_identity(text, path, wanted));
    steps = count_lines(text) - 1;
    rest = text;
    TRY(find_columns(at, strsep(&rest, "\n"), path));
    curve->points = steps < CURVE_POINTS ? steps : CURVE_POINTS;
    for (int64_t p = 0; p < curve->points; p++) {
        const struct range part = split_range(steps, (int)p, (int)curve->points);

        for (int64_t i = part.first; i < part.end; i++)
            TRY(add_step(curve, p, at, strsep(&rest, "\n"), path, i + 2));
        for (int c = 0; c < CURVE_COLUMNS; c++)
            if (c != CURVE_ROWS)
                curve->column[c][p] /= (double)range_length(part);
    }
done:
    free(text);
    return st;
}

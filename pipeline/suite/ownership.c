#include "suite/ownership.h"
#include "base/die.h"
#include "base/file.h"
#include "suite/schema.h"
#include "suite/stages.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The names of `first` and what follows it, as far as they exist: "train, release". */
static void list_made(char list[128], const struct suite *suite, const char *first)
{
    char path[PATH_LENGTH];
    bool follows = false;
    int n = 0;

    list[0] = '\0';
    for (int s = 0; s < STAGES; s++) {
        const char *folder = stage_row((enum stage)s)->folder;
        follows = follows || strcmp(folder, first) == 0;
        path_print(path, "%s/%s", suite->run, folder);
        if (follows && file_exists(path))
            n += snprintf(list + n, 128 - (size_t)n, "%s%s", n > 0 ? ", " : "", folder);
    }
}

/* A line of a suite's text without its indent. */
static const char *bare(const char *line)
{
    return line + strspn(line, " -");
}

static bool is_technical(const char *section, const char *line)
{
    const size_t length = strcspn(bare(line), ":");

    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        if (strcmp(SUITE_KEYS[k].section, section) == 0
            && strncmp(SUITE_KEYS[k].name, bare(line), length) == 0
            && SUITE_KEYS[k].name[length] == '\0')
            return SUITE_KEYS[k].technical;
    return false;
}

static const struct section *section_named(const char *line)
{
    for (int s = 1; s < SUITE_SECTIONS_COUNT; s++) {
        const size_t length = strlen(SUITE_SECTIONS[s].name);
        if (strncmp(line, SUITE_SECTIONS[s].name, length) == 0
            && strcmp(line + length, ":") == 0)
            return &SUITE_SECTIONS[s];
    }
    return NULL;
}

static enum status refuse_change(const struct suite *suite, const struct section *section,
                                 const char *before, const char *now)
{
    const bool saes = strcmp(section->name, "saes") == 0;
    char made[128];

    list_made(made, suite, section->made);
    if (made[0] == '\0')
        return OK;
    return refuse(E_USAGE, "%s was begun with '%s', but the suite now says '%s'; give it "
                  "another run folder, or remove from this one what was made before (%s)%s",
                  suite->run, bare(before), bare(now), made,
                  saes ? "; more autoencoders can go into a group behind the others" : "");
}

static enum status refuse_addition(const struct suite *suite)
{
    char made[128];

    list_made(made, suite, "release");
    if (made[0] == '\0')
        return OK;
    return refuse(E_USAGE, "%s/release has fewer autoencoders than the suite now asks for; "
                  "remove it, and the next run makes it again", suite->run);
}

/* Compare two effective suites line by line; both are written from the same table.  Both
 * texts are cut up. */
static enum status compare(const struct suite *suite, char *before, char *now)
{
    const struct section *section = &SUITE_SECTIONS[0];
    char *was, *is;
    enum status st = OK;

    while ((was = strsep(&before, "\n")) != NULL && (is = strsep(&now, "\n")) != NULL) {
        if (section_named(was) != NULL && strncmp(is, "- ", 2) == 0) {
            TRY(refuse_addition(suite));
            while (is != NULL && strcmp(was, is) != 0)
                is = strsep(&now, "\n");
        } else if (strcmp(was, is) != 0 && !is_technical(section->name, is)) {
            TRY(refuse_change(suite, section, was, is));
        }
        section = section_named(was) != NULL ? section_named(was) : section;
    }
done:
    return st;
}

static bool is_claimed(const struct suite *suite, const char *path)
{
    char *text = NULL;
    int64_t bytes;
    const bool is = file_read(path, &text, &bytes) == OK && strcmp(text, suite->text) == 0;

    refuse_clear();
    free(text);
    return is;
}

/* What others began to write and may have been killed over; who is still at it finds the claim
 * made. */
static void sweep(const char *path)
{
    char pattern[PATH_LENGTH];
    glob_t found;

    path_print(pattern, "%s.*", path);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t f = 0; f < found.gl_pathc; f++)
            unlink(found.gl_pathv[f]);
        globfree(&found);
    }
}

/* Write RUN/suite.yaml whole, whoever else does the same at this moment. */
static enum status write_claim(const struct suite *suite, const char *path)
{
    char mine[PATH_LENGTH];
    enum status st;

    path_print(mine, "%s.%ld", path, (long)getpid());
    TRY(file_write(mine, suite->text, (int64_t)strlen(suite->text)));
    if (rename(mine, path) != 0)
        st = refuse(E_IO, "cannot rename %s to %s: %s", mine, path, strerror(errno));
done:
    if (st != OK && is_claimed(suite, path)) {
        refuse_clear();
        st = OK;
    }
    return st;
}

enum status ownership_claim(const struct suite *suite)
{
    char path[PATH_LENGTH], *before = NULL, *now = NULL;
    int64_t bytes;
    enum status st = OK;

    path_print(path, "%s/suite.yaml", suite->run);
    if (file_exists(path)) {
        TRY(file_read(path, &before, &bytes));
        if (strcmp(before, suite->text) == 0)
            goto done;
        now = strdup(suite->text);
        if (now == NULL)
            die("no memory for the text of a suite");
        TRY(compare(suite, before, now));
    }
    TRY(write_claim(suite, path));
done:
    if (st == OK)
        sweep(path);
    free(now);
    free(before);
    return st;
}

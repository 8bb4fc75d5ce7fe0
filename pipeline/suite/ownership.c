#include "suite/ownership.h"
#include "base/checksum.h"
#include "base/die.h"
#include "base/file.h"
#include "suite/schema.h"
#include "suite/stages.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char CLAIM[] = "suite.yaml";
static const char UNFINISHED[] = ".claim-";     /* between a name and the process's number */

bool ownership_list_made(char list[OWNERSHIP_LIST], const char *run, const char *first)
{
    char path[PATH_LENGTH];
    bool follows = false;
    int n = 0;

    list[0] = '\0';
    for (int s = 0; s < STAGES; s++) {
        const char *folder = stage_row((enum stage)s)->folder;
        follows = follows || strcmp(folder, first) == 0;
        path_print(path, "%s/%s", run, folder);
        if (follows && file_exists(path))
            n += snprintf(list + n, OWNERSHIP_LIST - (size_t)n, "%s%s", n > 0 ? ", " : "",
                          folder);
    }
    return list[0] != '\0';
}

/* A line of a suite's text without its indent. */
static const char *skip_indent(const char *line)
{
    return line + strspn(line, " -");
}

/* Is the key of a line technical? */
static bool is_technical(const char *section, const char *line)
{
    const size_t length = strcspn(skip_indent(line), ":");

    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        if (strcmp(SUITE_KEYS[k].section, section) == 0
            && strncmp(SUITE_KEYS[k].name, skip_indent(line), length) == 0
            && SUITE_KEYS[k].name[length] == '\0')
            return SUITE_KEYS[k].technical;
    return false;
}

/* The section that a line begins; NULL if it is the line of a key. */
static const struct section *section_begun(const char *line)
{
    for (int s = 1; s < SUITE_SECTIONS_COUNT; s++) {
        const size_t length = strlen(SUITE_SECTIONS[s].name);
        if (strncmp(line, SUITE_SECTIONS[s].name, length) == 0
            && strcmp(line + length, ":") == 0)
            return &SUITE_SECTIONS[s];
    }
    return NULL;
}

static enum status check_change(const char *run, const struct section *section,
                                const char *before, const char *now)
{
    const bool saes = strcmp(section->name, "saes") == 0;
    char made[OWNERSHIP_LIST];
    enum status st;

    REQUIRE(!ownership_list_made(made, run, section->made), E_USAGE,
            "%s was begun with '%s', but the suite now says '%s'; give "
            "it another run folder, or remove from this one what was made before (%s)%s",
            run, skip_indent(before), skip_indent(now), made,
            saes ? "; more autoencoders can go into a group after the others" : "");
done:
    return st;
}

static enum status check_addition(const char *run)
{
    char made[OWNERSHIP_LIST];
    enum status st;

    REQUIRE(!ownership_list_made(made, run, "release"), E_USAGE,
            "%s/release has fewer autoencoders than the suite now asks "
            "for; remove it, and the next run makes it again",
            run);
done:
    return st;
}

/* Move *line on to the line that equals `until`, or to the end. */
static void skip_groups(char **line, char **text, const char *until)
{
    while (*line != NULL && strcmp(*line, until) != 0)
        *line = strsep(text, "\n");
}

/* Compare two effective suites line by line; both are written from the same table.  Overwrites
 * both texts. */
static enum status compare(const char *run, char *before, char *now)
{
    const struct section *section = &SUITE_SECTIONS[0];
    char *was = strsep(&before, "\n"), *is = strsep(&now, "\n");
    enum status st = OK;

    while (was != NULL && is != NULL) {
        if (section_begun(was) != NULL && strncmp(is, "- ", 2) == 0) {
            TRY(check_addition(run));
            skip_groups(&is, &now, was);
        } else if (section_begun(is) != NULL && strncmp(was, "- ", 2) == 0) {
            TRY(check_change(run, section, was, is));
            skip_groups(&was, &before, is);
        } else if (strcmp(was, is) != 0 && !is_technical(section->name, is)) {
            TRY(check_change(run, section, was, is));
        }
        if (was != NULL && section_begun(was) != NULL)
            section = section_begun(was);
        was = strsep(&before, "\n");
        is = strsep(&now, "\n");
    }
    if (was != is)      /* one text is longer */
        TRY(check_change(run, section, was != NULL ? was : "", is != NULL ? is : ""));
done:
    return st;
}

/* The number of a section whose line this is, or 0. */
static int section_of_line(const char *line)
{
    const struct section *section = section_begun(line);

    return section == NULL ? 0 : (int)(section - SUITE_SECTIONS);
}

enum status ownership_check_made(const char *path, const char *made, const char *text,
                                 const char *until)
{
    char *before = strdup(made), *now = strdup(text), *was_at = before, *is_at = now;
    int section = 0;
    enum status st = OK;

    if (before == NULL || now == NULL)
        die("no memory for the text of a suite");
    for (;;) {
        const char *was = strsep(&was_at, "\n"), *is = strsep(&is_at, "\n");
        if (was == NULL || is == NULL)
            break;
        section = section_of_line(is) > 0 ? section_of_line(is) : section;
        if (strcmp(SUITE_SECTIONS[section].name, until) == 0)
            break;
        REQUIRE(section == 0 || strcmp(was, is) == 0
                || is_technical(SUITE_SECTIONS[section].name, is), E_USAGE,
                "%s was made with '%s', but the suite says '%s': it is a file of another run; put "
                "back the one that was there, or remove it and run the same command again", path,
                skip_indent(was), skip_indent(is));
    }
done:
    free(now);
    free(before);
    return st;
}

/* Is this the content of RUN/suite.yaml? */
static bool is_claimed(const char *path, const char *content)
{
    char *found = NULL;
    int64_t bytes;
    const bool same = file_read(path, &found, &bytes) == OK && bytes == (int64_t)strlen(content)
                      && memcmp(found, content, (size_t)bytes) == 0;

    free(found);
    return same;
}

/* Is this the name of an unfinished `of`: suite.yaml.claim-PID, with .part or without? */
static bool is_unfinished(const char *name, const char *of)
{
    const size_t length = strlen(of), prefix = length + sizeof UNFINISHED - 1;
    const size_t digits = strncmp(name, of, length) == 0
                          && strncmp(name + length, UNFINISHED, sizeof UNFINISHED - 1) == 0
                        ? strspn(name + prefix, "0123456789") : 0;

    return digits > 0 && (name[prefix + digits] == '\0'
                          || strcmp(name + prefix + digits, ".part") == 0);
}

void ownership_sweep(const char *run, const char *name)
{
    char path[PATH_LENGTH];
    DIR *folder = opendir(run);

    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL; )
        if (is_unfinished(entry->d_name, name)) {
            path_print(path, "%s/%s", run, entry->d_name);
            unlink(path);
        }
    closedir(folder);
}

enum status ownership_write(const char *run, const char *name, const char *content)
{
    char mine[PATH_LENGTH], path[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/%s", run, name);
    path_print(mine, "%s%s%ld", path, UNFINISHED, (long)getpid());
    TRY(file_write(mine, content, (int64_t)strlen(content)));
    TRY(rename(mine, path) == 0 ? OK : file_refuse("publish", path));
done:
    if (st != OK)
        unlink(mine);
    return st;
}

/* Check the checksum of a claim of `bytes` bytes, and cut it off. */
static enum status check_whole(char *claim, int64_t bytes, const char *path)
{
    if (checksum_cut(claim, &bytes, path) == OK && (int64_t)strlen(claim) == bytes)
        return OK;
    refuse_clear();
    return refuse(E_FORMAT, "%s does not end with its checksum: it was cut short, changed, or "
                  "written by an earlier version, so which suite the folder belongs to is not "
                  "known; take it from a backup, or remove the folder, or remove this file alone "
                  "if nothing in the suite has changed", path);
}

/* Is the claim the same text without a checksum, as earlier versions wrote it? */
static bool is_earlier(const char *claim, int64_t bytes, const char *text)
{
    return bytes == (int64_t)strlen(text) && memcmp(claim, text, (size_t)bytes) == 0;
}

/* The text with its checksum.  Caller frees. */
static char *with_checksum(const char *text)
{
    char line[CHECKSUM_LINE], *content;

    checksum_line(line, text, (int64_t)strlen(text));
    if (asprintf(&content, "%s%s", text, line) < 0)
        die("no memory for the text of a suite");
    return content;
}

/* Are these names of one file? */
static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev
           && one.st_ino == other.st_ino;
}

enum status ownership_check_source(const char *run, const char *text, const char *source)
{
    char path[PATH_LENGTH], *content = with_checksum(text);
    enum status st = OK;

    path_print(path, "%s/%s", run, CLAIM);
    if (is_same_file(path, source) && !is_claimed(path, content)) {
        refuse_clear();
        st = refuse(E_USAGE, "%s has the name of the file by which its run folder knows the suite "
                    "that it belongs to, and would be replaced; give the suite file another name, "
                    "or keep it in another folder", source);
    }
    free(content);
    return st;
}

enum status ownership_claim(const char *run, const char *text)
{
    char path[PATH_LENGTH], *before = NULL, *now = NULL, *content = with_checksum(text);
    int64_t bytes;
    enum status st = OK;

    path_print(path, "%s/%s", run, CLAIM);
    if (file_exists(path)) {
        TRY(file_read(path, &before, &bytes));
        if (bytes == (int64_t)strlen(content) && memcmp(before, content, (size_t)bytes) == 0)
            goto done;
        if (!is_earlier(before, bytes, text)) {
            TRY(check_whole(before, bytes, path));
            now = strdup(text);
            if (now == NULL)
                die("no memory for the text of a suite");
            TRY(compare(run, before, now));
        }
    }
    st = ownership_write(run, CLAIM, content);
    if (st != OK && is_claimed(path, content)) {    /* another process was faster */
        refuse_clear();
        st = OK;
    }
done:
    if (st == OK)
        ownership_sweep(run, CLAIM);
    free(content);
    free(now);
    free(before);
    return st;
}

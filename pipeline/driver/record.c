#include "driver/record.h"
#include "base/allocate.h"
#include "base/utf8.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL_BYTES = 8192 };     /* of a log that are read */

static const char *const ENDINGS[] = { "", "stopped", "failed" };

/* RUN/logs/train-00003.log, RUN/logs/train.log */
static void path_of(char path[PATH_LENGTH], const struct suite *suite, enum stage stage,
                    int64_t task, const char *ending)
{
    if (task == WHOLE_STAGE)
        path_print(path, "%s/logs/%s.%s", suite->run, stage_name(stage), ending);
    else
        path_print(path, "%s/logs/%s-%05lld.%s", suite->run, stage_name(stage), (long long)task,
                   ending);
}

void record_log_path(char path[PATH_LENGTH], const struct suite *suite, enum stage stage,
                     int64_t task)
{
    path_of(path, suite, stage, task, "log");
}

bool record_read(struct record *record, const struct suite *suite, enum stage stage, int64_t task)
{
    char path[PATH_LENGTH];
    json_int_t progress = 0;
    const char *ending = "";

    path_of(path, suite, stage, task, "json");
    *record = (struct record){0};
    json_t *json = json_load_file(path, 0, NULL);
    const bool there = json_unpack(json, "{s:s, s:I, s:i}", "ending", &ending, "progress",
                                   &progress, "idle", &record->idle) == 0;
    record->progress = progress;
    for (int e = ENDED_STOPPED; there && e <= ENDED_FAILED; e++)
        if (strcmp(ending, ENDINGS[e]) == 0)
            record->ending = (enum ending)e;
    json_decref(json);
    return there;
}

enum status record_write(const struct record *record, const struct suite *suite,
                         enum stage stage, int64_t task)
{
    char path[PATH_LENGTH], text[128];
    enum status st;

    path_of(path, suite, stage, task, "json");
    const int length = snprintf(text, sizeof text,
                                "{\"ending\": \"%s\", \"progress\": %lld, \"idle\": %d}\n",
                                ENDINGS[record->ending], (long long)record->progress,
                                record->idle);
    TRY(file_make_folder_above(path));
    TRY(file_write(path, text, length));
done:
    return st;
}

enum status record_remove(const struct suite *suite, enum stage stage, int64_t task)
{
    char path[PATH_LENGTH];

    path_of(path, suite, stage, task, "json");
    return file_remove(path);
}

bool *record_list(const struct suite *suite, enum stage stage, int64_t tasks)
{
    bool *there = allocate(tasks + 1, sizeof *there);
    char path[PATH_LENGTH], name[64];
    long long task;
    int end;

    path_print(path, "%s/logs", suite->run);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL; ) {
        snprintf(name, sizeof name, "%s.json", stage_name(stage));
        if (strcmp(entry->d_name, name) == 0)
            there[tasks] = true;
        snprintf(name, sizeof name, "%s-%%lld.json%%n", stage_name(stage));
        end = 0;
        if (sscanf(entry->d_name, name, &task, &end) == 1 && end > 0
            && entry->d_name[end] == '\0' && 0 <= task && task < tasks)
            there[task] = true;
    }
    if (folder != NULL)
        closedir(folder);
    return there;
}

/* The end of a file, as UTF-8 whatever is in it; NULL if there is none. */
static char *read_end(const char *path)
{
    FILE *file = fopen(path, "r");
    char bytes[TAIL_BYTES];
    int64_t length;

    if (file == NULL)
        return NULL;
    if (fseek(file, -TAIL_BYTES, SEEK_END) != 0)
        rewind(file);
    length = (int64_t)fread(bytes, 1, TAIL_BYTES, file);
    fclose(file);
    return utf8_clean(bytes, length, &length);
}

/* What the last attempt wrote: the lines after its heading. */
static const char *last_attempt(const char *text)
{
    const char *start = text;

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, LOG_HEADING, strlen(LOG_HEADING)) == 0)
            start = line + strcspn(line, "\n");
    }
    return start;
}

/* Copy the last `lines` lines of `text` to `tail`, with `ours` only those that begin with the
 * name of a program of ours. */
static void copy_lines(char *tail, const char *text, int lines, bool ours)
{
    const char *kept[16], *line = text;
    int count = 0;

    for (; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n')
        if (ours ? strncmp(line, "saemill", 7) == 0 : strspn(line, " \t\r") < strcspn(line, "\n"))
            kept[count++ % lines] = line;
    tail[0] = '\0';
    for (int l = count > lines ? count - lines : 0; l < count; l++) {
        strncat(tail, kept[l % lines], strcspn(kept[l % lines], "\n"));
        strcat(tail, "\n");
    }
}

char *record_log_tail(const struct suite *suite, enum stage stage, int64_t task, int lines)
{
    char path[PATH_LENGTH], *tail;

    record_log_path(path, suite, stage, task);
    char *text = read_end(path);
    tail = allocate(text != NULL ? (int64_t)strlen(text) + 2 : 1, 1);
    if (text != NULL) {
        copy_lines(tail, last_attempt(text), lines, true);
        if (tail[0] == '\0')
            copy_lines(tail, last_attempt(text), lines, false);
    }
    free(text);
    return tail;
}

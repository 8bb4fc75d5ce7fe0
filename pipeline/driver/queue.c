#include "driver/queue.h"
#include "base/die.h"
#include "driver/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void queue_comment(char comment[PATH_LENGTH], const struct suite *suite, int64_t first)
{
    char here[PATH_LENGTH] = "";

    if (suite->run[0] != '/' && getcwd(here, sizeof here - 1) != NULL)
        strcat(here, "/");
    path_print(comment, "saemill:%lld:%s%s", (long long)first, here, suite->run);
}

/* One line of squeue: "JOB|INDEX|STATE|REASON|NAME|COMMENT".  Is it a task of the suite? */
static bool parse_line(struct queued *job, char *line, const struct suite *suite)
{
    char *field[6], expected[PATH_LENGTH];
    long long first;

    for (int f = 0; f < 6; f++) {
        field[f] = line;
        line += strcspn(line, "|");
        if (*line == '\0' && f < 5)
            return false;
        *line++ = '\0';
    }
    const char *stage = strrchr(field[4], '.');
    if (stage == NULL || stage_parse(&job->stage, stage + 1) != OK
        || sscanf(field[5], "saemill:%lld:", &first) != 1)
        return false;
    queue_comment(expected, suite, first);
    if (strcmp(field[5], expected) != 0 || strcmp(field[2], "COMPLETING") == 0)
        return false;
    snprintf(job->job, sizeof job->job, "%s", field[0]);
    snprintf(job->index, sizeof job->index, "%s", field[1]);
    snprintf(job->reason, sizeof job->reason, "%s", field[3]);
    job->task = first + atoll(field[1]);
    job->running = strcmp(field[2], "PENDING") != 0;
    return true;
}

void queue_read(struct queue *queue, const struct suite *suite)
{
    char names[PATH_LENGTH] = "", command[2 * PATH_LENGTH], *output = NULL;
    int64_t capacity = 0;

    *queue = (struct queue){0};
    if (!command_exists("squeue"))
        return;
    for (int s = 0; s < STAGES; s++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s.%s",
                 s > 0 ? "," : "", suite->name, stage_name((enum stage)s));
    snprintf(command, sizeof command, "timeout 20 squeue -h -r -n '%s' "
             "-o '%%F|%%K|%%T|%%r|%%j|%%k' 2> /dev/null", names);
    queue->silent = command_read(&output, command) != OK;
    for (char *rest = output, *line; (line = strsep(&rest, "\n")) != NULL; ) {
        if (queue->count == capacity) {
            capacity = 2 * capacity + 64;
            queue->jobs = realloc(queue->jobs, (size_t)capacity * sizeof *queue->jobs);
            if (queue->jobs == NULL)
                die("no memory for a queue of %lld tasks", (long long)capacity);
        }
        queue->count += parse_line(&queue->jobs[queue->count], line, suite);
    }
    refuse_clear();
    free(output);
}

void queue_free(struct queue *queue)
{
    free(queue->jobs);
    *queue = (struct queue){0};
}

#include "driver/queue.h"
#include "base/die.h"
#include "driver/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A hash of the run folder's path, the same for every way to write it: the folders that exist are
 * resolved, those that do not are taken as they are written. */
static uint64_t hash_of_run(const struct suite *suite)
{
    char above[PATH_LENGTH], *resolved, *path = NULL;

    path_print(above, "%s", suite->run);
    while ((resolved = realpath(above, NULL)) == NULL && strrchr(above, '/') > above)
        *strrchr(above, '/') = '\0';
    const char *rest = resolved != NULL ? suite->run + strlen(above) : suite->run;
    if (resolved == NULL)
        resolved = realpath(suite->run[0] == '/' ? "/" : ".", NULL);
    while (*rest == '/')
        rest++;
    if (asprintf(&path, "%s/%s", resolved != NULL ? resolved : "", rest) < 0)
        die("no memory for a path");
    const uint64_t hash = XXH64(path, strlen(path), 0);
    free(resolved);
    free(path);
    return hash;
}

void queue_comment(char comment[QUEUE_COMMENT], const struct suite *suite, const char *name,
                   int64_t first)
{
    snprintf(comment, QUEUE_COMMENT, "saemill:%s:%lld:%016llx", name, (long long)first,
             (unsigned long long)hash_of_run(suite));
}

/* Take the line of the job that submits the rest; not our own, in which we submit it. */
static void take_rest(struct queue *queue, const char *job)
{
    const char *own = getenv("SLURM_JOB_ID");

    if (own == NULL || strcmp(own, job) != 0)
        snprintf(queue->rest, sizeof queue->rest, "%s", job);
}

/* One line of squeue: "JOB|INDEX|STATE|REASON|COMMENT".  Is it a task of the suite? */
static bool parse_line(struct queue *queue, struct queued *job, char *line,
                       const struct suite *suite)
{
    char *field[5], expected[QUEUE_COMMENT], name[16];
    long long first;

    for (int f = 0; f < 5; f++) {
        field[f] = line;
        line += strcspn(line, "|");
        if (*line == '\0' && f < 4)
            return false;
        if (*line != '\0')
            *line++ = '\0';
    }
    if (strcmp(field[2], "COMPLETING") == 0
        || sscanf(field[4], "saemill:%15[a-z]:%lld:", name, &first) != 2)
        return false;
    queue_comment(expected, suite, name, first);
    if (strcmp(field[4], expected) != 0)
        return false;
    if (strcmp(name, QUEUE_REST) == 0)
        take_rest(queue, field[0]);
    if (stage_parse(&job->stage, name) != OK)
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
    char names[PATH_LENGTH], command[2 * PATH_LENGTH], *output = NULL;
    int64_t capacity = 0;

    *queue = (struct queue){0};
    if (!command_exists("squeue"))
        return;
    path_print(names, "%s." QUEUE_REST, suite->name);
    for (int s = 0; s < STAGES; s++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ",%s.%s", suite->name,
                 stage_name((enum stage)s));
    snprintf(command, sizeof command, "timeout 20 squeue -h -r -n '%s' -o '%%F|%%K|%%T|%%r|%%k' "
             "2> /dev/null", names);
    queue->silent = command_read(&output, command) != OK;
    for (char *rest = output, *line; (line = strsep(&rest, "\n")) != NULL; ) {
        if (queue->count == capacity) {
            capacity = 2 * capacity + 64;
            queue->jobs = realloc(queue->jobs, (size_t)capacity * sizeof *queue->jobs);
            if (queue->jobs == NULL)
                die("no memory for a queue of %lld tasks", (long long)capacity);
        }
        queue->count += parse_line(queue, &queue->jobs[queue->count], line, suite);
    }
    refuse_clear();
    free(output);
}

void queue_free(struct queue *queue)
{
    free(queue->jobs);
    *queue = (struct queue){0};
}

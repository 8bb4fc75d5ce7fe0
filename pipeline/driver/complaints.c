#include "driver/complaints.h"
#include "base/die.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { DASHES = 60 };   /* at least, in a line of a frame: Open MPI has 74 and more */

static bool is_frame(const char *line)
{
    return strspn(line, "-") >= DASHES;
}

/* mpirun counts the frames that it does not repeat. */
static bool is_count(const char *line)
{
    return line[0] == '[' && (strstr(line, " sent help message ") != NULL
                              || strstr(line, "orte_base_help_aggregate") != NULL);
}

static void take_line(struct complaints *c, const char *line)
{
    const bool frame = is_frame(line), ours = strncmp(line, "saemill", 7) == 0;

    if (c->log != NULL) {
        fputs(line, c->log);
        fflush(c->log);
    }
    c->explained = c->explained || ours;
    if (frame || is_count(line) || (c->in_box && !ours))
        fputs(line, c->boxes);
    else
        fputs(line, stderr);
    c->in_box = c->in_box != frame;
}

void complaints_copy(struct complaints *c, int from, const char *log)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *in = fdopen(from, "r");

    *c = (struct complaints){ .log = log != NULL ? fopen(log, "w") : NULL };
    c->boxes = text_open(&c->held, &c->length);
    if (in == NULL)
        die("no memory for what a stage says");
    for (clearerr(in); text_line(&line, &capacity, in) >= 0; )
        take_line(c, line);
    fclose(in);
    free(line);
    if (c->log != NULL)
        fclose(c->log);
    c->log = NULL;
}

void complaints_show(struct complaints *c)
{
    fflush(c->boxes);
    fputs(c->held, stderr);
}

void complaints_free(struct complaints *c)
{
    if (c->boxes != NULL)
        text_close(c->boxes);
    free(c->held);
    *c = (struct complaints){0};
}

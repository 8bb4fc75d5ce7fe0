/* complaints.h -- what mpirun and the ranks write on standard error.
 *
 * mpirun frames its own words in lines of dashes.  When a rank has given its reason, they add
 * nothing, and are kept for the log; when none has, they are the reason.
 */
#ifndef COMPLAINTS_H
#define COMPLAINTS_H

#include <stdbool.h>
#include <stdio.h>

struct complaints {
    FILE  *log;         /* gets every line; NULL: none */
    FILE  *boxes;       /* writes framed words to `held` */
    char  *held;
    size_t length;
    bool   in_box;
    bool   explained;   /* a program of ours has given a reason */
};

/* Pass on what comes through the pipe `from` until its end, framed words excepted, and close it.
 * `log` is the path of a file to be written, or NULL.  complaints_free() is due then.  Local. */
void complaints_copy(struct complaints *complaints, int from, const char *log);

/* Print the framed words now. */
void complaints_show(struct complaints *complaints);

void complaints_free(struct complaints *complaints);

#endif

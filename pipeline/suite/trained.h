/* trained.h -- the suite of autoencoders that a task file works with: the keys `suite` and
 * `autoencoders` of its section.  Everything here is Local. */
#ifndef TRAINED_H
#define TRAINED_H

#include "suite/suite.h"

/* What a task file asks for; of a file of another kind nothing. */
struct trained_wish {
    const char  *section;           /* that has the two keys */
    const char  *suite;             /* path; empty: none */
    char *const *autoencoders;      /* [count] STREAM/NAME */
    unsigned     count;
};

struct trained_wish trained_wish(const struct suite *suite);

/* Read the file that `suite` names.  suite_free() is due after a failure, too.  E_IO; E_USAGE
 * if it names none, or one that trains nothing; as suite_parse(). */
enum status trained_read(struct suite *trained, const struct suite *suite);

#endif

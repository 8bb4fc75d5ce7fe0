/* trained.h -- the suite of autoencoders that a file for a circuit works with: circuit.suite.
 * Everything here is Local. */
#ifndef TRAINED_H
#define TRAINED_H

#include "suite/suite.h"

/* Read the file that circuit.suite names.  suite_free() is due after a failure, too.  E_IO; E_USAGE
 * if it names none, or one that trains nothing; as suite_parse(). */
enum status trained_read(struct suite *trained, const struct suite *suite);

#endif

/* value.h -- one value of a suite file, from text and to text. */
#ifndef VALUE_H
#define VALUE_H

#include "suite/schema.h"

#include <stdio.h>

/* The size of a value; a list is an array of them. */
size_t value_bytes(const struct key *key);

/* Read a value into the member at `at`.  False if it is not what schema_key_expects(); nothing is
 * stored then.  A text is copied; value_free() frees it.  Local. */
bool value_read(void *at, const struct key *key, const char *text);
void value_free(void *at, const struct key *key);

/* A number as people write it, in as many digits as give it back: "0.0006". */
const char *value_number_text(char text[32], double number);

/* Write it so that value_read() gives the same bits. */
void value_write(FILE *out, const struct key *key, const void *at);

#endif

/* fields.h -- numbers that a method finds of each prompt: of the prompt itself, its layers, heads,
 * heads and classes of positions, or of what a method says.
 *
 * A rank computes some blocks of circuit.block prompts that follow each other.  Every rank computes
 * a block in the same way, so results have the same bits on any number of ranks.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include "base/split.h"
#include "methods/methods.h"

#include <jansson.h>

/* What a field has a number for.  Head h of layer l is column l * heads + h; the classes of a head
 * (prompts_class) lie side by side. */
enum fields_per { FIELDS_PER_PROMPT, FIELDS_PER_LAYER, FIELDS_PER_HEAD, FIELDS_PER_CLASS };

struct field {
    const char     *name;       /* in files */
    enum fields_per per;
    const char     *about;      /* what it is and its unit, for people */
    int64_t         columns;    /* their number; 0: as `per` says */
};

struct fields {
    const struct circuit *circuit;
    const struct field   *field;    /* [count] not owned */
    int                   count;
    double              **values;   /* [count], each [prompts, columns]; NaN: not known */
};

/* How many numbers a prompt has of a field; bytes that fields_make() allocates.  Local. */
int64_t fields_columns(enum fields_per per, const struct lm_config *config);
int64_t fields_bytes(const struct field *field, int count, const struct lm_config *config,
                     int64_t prompts);

/* Allocate them, 0 at first.  fields_free() accepts an empty one.  Local. */
void fields_make(struct fields *fields, const struct field *field, int count,
                 const struct circuit *circuit);
void fields_free(struct fields *fields);

/* Compute the values of prompts [range].  Local. */
typedef enum status fields_compute(void *context, struct fields *fields, struct range range);

/* Compute the blocks of this rank, and gather all on rank 0; `what` ("knocked out") is done with
 * blocks of prompts.  Collective.  As compute(); E_STOPPED. */
enum status fields_fill(struct fields *fields, fields_compute *compute, void *context,
                        const char *what);

/* The mean of a column over the prompts that have it; NaN if none has.  Local, as all below. */
double fields_mean(const struct fields *fields, int field, int64_t column);

/* Put it under the field's name. */
void fields_put_mean(json_t *object, const struct fields *fields, int field, int64_t column);

/* Write RUN/circuit/NAME.h5: the prompts, and all fields, each under its name; bytes of that file.
 * E_IO, E_SPACE. */
enum status fields_write(const struct fields *fields, const char *name, const char *format,
                         int version);
double      fields_disk(const struct field *field, int count, const struct lm_config *config,
                        struct circuit_shape shape);

#endif

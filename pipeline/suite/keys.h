/* keys.h -- a suite file as structs: struct suite, and its sections suite_model, suite_train, ...
 *
 * Each key of keys.def is the member of its name: text is a char *, layers too; integers and
 * bytes are int64_t, numbers double, a choice is its enumeration.  A list is an array with its
 * length in NAME_count.  Units, ranges and meanings stand in keys.def.
 */
#ifndef KEYS_H
#define KEYS_H

#include "kernels/precision.h"
#include "suite/architectures.h"
#include "suite/kinds.h"
#include "suite/site.h"

#include <stdint.h>

/* The value of saes.target that is no site: what is read is reconstructed. */
#define TARGET_INPUT SITES

enum { PREFIXES_MOST = 8 };     /* of train.prefixes */

/* The types of keys in C. */
#define TYPE_TEXT    char *
#define TYPE_PATH    char *
#define TYPE_NAME    char *
#define TYPE_LAYERS  char *
#define TYPE_INTEGER int64_t
#define TYPE_BYTES   int64_t
#define TYPE_NUMBER  double

#define ENUM(tag, ...)                      enum tag { __VA_ARGS__ }
#define SECTION(section, files, made, meaning)  struct suite_##section {
#define GROUPS(section, files, made, meaning)   struct suite_##section {
#define KEY(section, name, type, ...)       TYPE_##type name;
#define LIST(section, name, type, ...)      TYPE_##type *name; unsigned name##_count;
#define CHOICE(section, name, kind, ...)    kind name;
#define CHOICES(section, name, kind, ...)   kind *name; unsigned name##_count;
#define END(section)                        };
#include "suite/keys.def"
#undef ENUM

/* A section is the member of its name, such as struct suite_train train; the groups of
 * autoencoders are an array, struct suite_saes *saes, with its length in saes_count. */
struct suite {
#define TOP(name, type, ...)         TYPE_##type name;
#define SECTION(part, files, made, meaning) struct suite_##part part;
#define GROUPS(part, files, made, meaning)  struct suite_##part *part; unsigned part##_count;
#include "suite/keys.def"
    enum suite_kind kind;
    char *text;                 /* the effective suite as YAML: what results depend on */
    char *path, *source;        /* the file it was read from, and that file's text */
};

#endif

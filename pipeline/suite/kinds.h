/* kinds.h -- the kinds of files that a person writes: the one table.
 *
 * A suite file asks for autoencoders.  Every other kind is a task file: it works with a model, or
 * with what another run has made, and is known by one section, whose stage is all that its run has.
 * A kind is a row here, its sections in keys.def, and its stages in STAGES_TABLE (stages.h).
 */
#ifndef KINDS_H
#define KINDS_H

/* Number, the section that makes a file one of this kind, and what the file is for. */
#define KINDS_TABLE(ROW) \
    ROW(SAES, "saes", "autoencoders") \
    ROW(CIRCUIT, "circuit", "a circuit") \
    ROW(INTERVENE, "intervene", "interventions") \
    ROW(INVERT, "invert", "inversions")

#define KINDS_NUMBER(kind, ...) SUITE_##kind,
enum suite_kind { KINDS_TABLE(KINDS_NUMBER) SUITE_KINDS };

/* The section of a kind, and what its files are for.  Local, as all here. */
const char *kinds_section(enum suite_kind kind);
const char *kinds_purpose(enum suite_kind kind);

/* The kind of task file that has this section; SUITE_KINDS: none. */
enum suite_kind kinds_find(const char *section);

#endif

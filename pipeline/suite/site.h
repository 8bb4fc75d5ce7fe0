/* site.h -- the places in a transformer layer where activations are read and replaced.
 *
 * Gemma Scope (arXiv:2408.05147, section 3.1 and appendix C) names them so.  All that there is
 * to say of a site is a row of one table; what the model does to come to it is a row of another,
 * in lm/forward.c.  Everything here is Local.
 */
#ifndef SITE_H
#define SITE_H

#include "base/refuse.h"

#include <stdint.h>

/* One row a site.  The order of the rows is that of enum site, and so of tasks: append to it.
 *   name     in suite files, paths and files
 *   order    number among the sites of a layer, as the model comes to them
 *   rows     a row of the site is as wide as the residual stream (STREAM), or as all heads (HEADS)
 *   hook     TransformerLens's name, after "blocks.LAYER."; hook_mlp_out lies after a post-norm,
 *            as "mlp" does
 *   listed   number among the sites of a release: the residual stream first, for which most come
 *   meaning  for the help of the suite file
 *   phrase   for the report of a release, in HTML */
#define SITE_TABLE(FIRST, NEXT) \
    FIRST(ATTN, "attn", 0, HEADS, "attn.hook_z", 2, \
          "head outputs before W_O", \
          "attention heads (concatenated outputs, before W<sub>O</sub>)") \
    NEXT(MLP, "mlp", 2, STREAM, "hook_mlp_out", 1, \
         "MLP output as added to the residual", \
         "MLP output (as added to the residual stream)") \
    NEXT(RES, "res", 3, STREAM, "hook_resid_post", 0, \
         "residual stream after the layer", \
         "residual stream (after the layer)") \
    NEXT(MLP_IN, "mlp_in", 1, STREAM, "mlp.hook_in", 3, \
         "MLP input after its norm", \
         "MLP input (after its norm)")

/* SITE_ATTN, ..., and SITES, their number. */
#define SITE_ENUM(id, ...) SITE_##id,
enum site { SITE_TABLE(SITE_ENUM, SITE_ENUM) SITES };

/* "attn mlp res mlp_in" */
#define SITE_FIRST_NAME(id, name, ...) name
#define SITE_NEXT_NAME(id, name, ...)  " " name
#define SITE_NAMES SITE_TABLE(SITE_FIRST_NAME, SITE_NEXT_NAME)

/* "attn: head outputs before W_O.  mlp: ..." */
#define SITE_FIRST_MEANING(id, name, order, rows, hook, listed, meaning, phrase) \
    name ": " meaning "."
#define SITE_NEXT_MEANING(id, name, order, rows, hook, listed, meaning, phrase) \
    "  " name ": " meaning "."
#define SITE_MEANINGS SITE_TABLE(SITE_FIRST_MEANING, SITE_NEXT_MEANING)

enum site_rows { SITE_ROWS_STREAM, SITE_ROWS_HEADS };

/* A row of the table. */
struct site_traits {
    const char    *name;
    int            order;
    enum site_rows rows;
    const char    *hook;
    int            listed;
    const char    *phrase;
};

const struct site_traits *site_traits(enum site site);

/* "attn", "mlp", "res", "mlp_in". */
const char *site_name(enum site site);

/* The site of a name.  E_USAGE if there is none. */
enum status site_parse(enum site *site, const char *name);

/* The model comes first to the site of lower order.  site_at() is the reverse. */
int site_order(enum site site);
enum site site_at(int order);

/* "attn, mlp_in, mlp, res": all names in that order.  Returns `text`. */
enum { SITE_TEXT = 128 };
const char *site_list(char text[SITE_TEXT]);

/* One stream of activations. */
struct tap {
    enum site site;
    int       layer;    /* from 0 */
};

/* Sites of all layers, in the order in which the model comes to them, from 0. */
int64_t site_tap_step(struct tap tap);

/* "res.01": names the folders and files of one stream.  Returns `name`. */
const char *site_tap_name(char name[32], struct tap tap);

#endif

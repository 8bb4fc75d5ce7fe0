/* site.h -- the places in a transformer layer where activations are read and replaced.
 *
 * Gemma Scope (arXiv:2408.05147, section 3.1 and appendix C) names them so.  The rows are in
 * site.def; how the model comes to a site is a row of a table in lm/forward.c.  Everything here is
 * Local.
 */
#ifndef SITE_H
#define SITE_H

#include "base/refuse.h"

#include <stdint.h>

/* SITE_ATTN, ... */
enum site {
#define SITE(id, name, meaning, ...) SITE_##id,
#include "suite/site.def"
    SITES
};

/* A row is as wide as the residual stream, or as all heads together. */
enum site_rows { SITE_ROWS_STREAM, SITE_ROWS_HEADS };

struct site_traits {
    const char    *name;
    int            order;   /* number among the sites of a layer, as the model comes to them */
    enum site_rows rows;
    const char    *hook;    /* TransformerLens's name, after "blocks.LAYER."; its hook_mlp_out lies
                               after a post-norm, as "mlp" does */
    const char    *before_gain;     /* where TransformerLens has these rows before the gain of an
                                       RMSNorm, as Gemma Scope's transcoders read them; or NULL */
    int            listed;  /* number among the sites in a release; most people come for res */
    const char    *phrase;  /* for the report of a release, in HTML */
};

const struct site_traits *site_traits(enum site site);

/* For keys.def: all names, the same and "input", and "NAME: MEANING." of each. */
extern const char SITE_WORDS[], SITE_TARGET_WORDS[], SITE_MEANING[];

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

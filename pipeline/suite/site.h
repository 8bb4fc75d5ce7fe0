/* site.h -- the places in a transformer layer where activations are read and replaced.
 *
 * Gemma Scope (arXiv:2408.05147, section 3.1 and appendix C) names them so.
 */
#ifndef SITE_H
#define SITE_H

#include "base/refuse.h"

#include <stdint.h>

enum site {
    SITE_ATTN,      /* "attn":   concatenated head outputs z, before W_O */
    SITE_MLP,       /* "mlp":    MLP output after its post-norm, as added to the residual */
    SITE_RES,       /* "res":    residual stream after the layer */
    SITE_MLP_IN,    /* "mlp_in": MLP input after its pre-norm (what a transcoder reads) */
    SITES
};

/* One stream of activations. */
struct tap {
    enum site site;
    int       layer;    /* from 0 */
};

/* "attn", "mlp", "res", "mlp_in". */
const char *site_name(enum site site);

/* The reverse.  E_USAGE if there is no site of that name.  Local. */
enum status site_parse(enum site *site, const char *name);

/* Which of two sites of a layer does the model come to first?  That of the lower number.  The
 * reverse of it is site_at(). */
int site_order(enum site site);
enum site site_at(int order);

/* Sites of all layers, in the order in which the model comes to them, from 0. */
int64_t site_tap_step(struct tap tap);

/* "res.01": names the folders and files of one stream.  Returns `name`. */
const char *site_tap_name(char name[32], struct tap tap);

#endif

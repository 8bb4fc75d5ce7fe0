/* inversion.h -- generator inversion: the loss of an explanation, and its gradient.
 *
 * L-BRGM (Conmy, Mukherjee and Schoenlieb, arXiv:2110.03814) explains values y, seen through an
 * operator A, by a generator G whose input w a map M makes of z.  Both z and w are sought:
 *
 *     loss(z, w) = data     * |A G(w_1 .. w_L) - y|^2
 *                + features * |F(A G(w)) - F(y)|^2       F: a network, for images LPIPS's
 *                + mapping  * sum over l of |M(z) - w_l|^2
 *                + prior    * |z|^2
 *
 * It is minus the logarithm of a posterior: z is normal, w is normal around M(z), and so are y and
 * F(y) around what is generated.  With a large `mapping` only z is sought.  The paper takes means
 * over entries where sums stand here, with data 2e-4 (values 0 to 255), features 2e7, mapping 30
 * and prior 0.4: divide these by the numbers of entries.
 *
 * In a language model, y is an activation and G a decoder or an MLP (model_networks.h): the w found
 * explain y under the prior that M is.
 *
 * A point is one array [z, w_1, .., w_L].  Everything is float64 and Local, and runs on one thread.
 */
#ifndef INVERSION_H
#define INVERSION_H

#include "invert/network.h"
#include "invert/observation.h"

struct inversion_weights {
    double data, features, mapping, prior;
};

struct inversion_setup {
    const struct network  *map;         /* M */
    const struct network  *generator;   /* G; reads the w after each other */
    const struct observation *seen;     /* A */
    const struct network  *features;    /* F; NULL: there is no such term */
    const double          *target;      /* [outputs of A] y */
    int32_t                copies;      /* L */
    struct inversion_weights weights;
};

struct inversion {
    struct inversion_setup setup;       /* what it points to must outlive the inversion */
    double *target_features;            /* F(y), or NULL */
};

/* The loss, and its four terms without their weights. */
struct inversion_terms {
    double loss, data, features, mapping, prior;
};

/* Numbers of z, and of a point. */
int32_t inversion_latents(const struct inversion_setup *setup);
int64_t inversion_point(const struct inversion_setup *setup);

/* How many numbers of memory inversion_loss() needs. */
int64_t inversion_work_count(const struct inversion_setup *setup);

/* Refuse what does not fit together, whatever the target and the numbers of networks.  E_USAGE:
 * sizes that do not fit, no w, a weight below 0, weights of data and features that are both 0;
 * E_NUMERIC: a weight that is not finite. */
enum status inversion_check(const struct inversion_setup *setup);

/* Check that, and the target, and compute F(y).  inversion_free() accepts an empty one.  As
 * inversion_check(); E_NUMERIC: a y that is not finite. */
enum status inversion_make(struct inversion *inversion, const struct inversion_setup *setup);
void        inversion_free(struct inversion *inversion);

/* The loss of a point.
 *   gradient  [inversion_point()]       out: by the point; NULL: not asked for
 *   point     [inversion_point()]       in
 *   work      [inversion_work_count()] */
struct inversion_terms inversion_loss(const struct inversion *inversion, double *gradient,
                                      const double *point, double *work);

/* Fill the w of a point: M(z) each.
 *   point  [inversion_point()]  in: z; out: w
 *   work   as above */
void inversion_map(const struct inversion *inversion, double *point, double *work);

#endif

/* sweep_curve.h -- how the circuits of all tasks of a sweep compare with the reference.
 *
 * Each task keeps the point of its circuit in its HDF5 file.  A task that finds the files of all
 * others, before it writes its own JSON, writes RUN/circuit/NAME.html and .json from them.  So the
 * curve is there when the last task is complete, and is the same whichever that is.  Local, for
 * rank 0.
 */
#ifndef SWEEP_CURVE_H
#define SWEEP_CURVE_H

#include "methods/methods.h"

/* Write the curve, "acdc-roc", if the files of all tasks are there.  E_IO, E_SPACE, E_FORMAT,
 * E_USAGE. */
enum status sweep_curve_write(const struct circuit *circuit, const char *name);

#endif

/* calibrate.h -- how fast this machine is, by running two slices of a suite.
 *
 * Every stage does some seconds of its real work, and then four times as much: the suite's own
 * model, sites, widths and shapes, on documents taken from its own corpus, with all the cores
 * there are.  What the longer slice takes more is the work, the rest is what tasks take besides.
 * The rates are kept (rates.h), for plans of this and of other suites.
 */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#include "suite/suite.h"

/* Measure, and say what was found.  Works in the folder RUN.measure, which it removes.
 * Local.  What the stages refuse; E_STOPPED after a signal. */
enum status calibrate(const struct suite *suite);

#endif

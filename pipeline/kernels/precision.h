/* precision.h -- what numbers are multiplied; sums are float32 in either case. */
#ifndef PRECISION_H
#define PRECISION_H

enum precision { PRECISION_F32, PRECISION_BF16 };

#endif

/* precision.h -- the type of the numbers that are multiplied; sums are float32 for both. */
#ifndef PRECISION_H
#define PRECISION_H

enum precision { PRECISION_F32, PRECISION_BF16 };

#endif

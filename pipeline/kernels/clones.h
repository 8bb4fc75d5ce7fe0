/* clones.h -- compile a hot function for several kinds of CPU; the program chooses at start.
 *
 * Put CLONES before the definition of a function whose inner loops are plain C, or use the vectors
 * of 16 floats below, and which runs long enough to be worth an indirect call.
 */
#ifndef CLONES_H
#define CLONES_H

#ifdef ONE_CLONE                /* the tests run each of them */
#define CLONES ONE_CLONE
#elif defined __SANITIZE_ADDRESS__     /* the choice is made before the sanitizer starts */
#define CLONES
#else
#define CLONES_CHOSEN
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif

/* Sixteen floats, added and multiplied lane by lane, at any address. */
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));

enum { LANES = 16 };

#define LOAD(address) (*(const lanes *)(address))

#endif

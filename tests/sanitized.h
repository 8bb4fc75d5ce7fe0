/* sanitized.h -- fewer cases of a test under the sanitizers: they look at memory, and see in a few
 * cases that execute every line what there is to see in all of them. */
#ifndef SANITIZED_H
#define SANITIZED_H

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED(few, all) (few)
#else
#define SANITIZED(few, all) (all)
#endif

#endif

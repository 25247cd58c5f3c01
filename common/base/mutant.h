/* mutant.h -- seeded bugs: false in every program but the simulator (tests/sim), which turns
 * one on to see that it is found.  What each of them breaks stands in tests/sim/mutants.def. */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#ifdef SIM
enum mutant {
    MUTANT_NONE,
#define MUTATION(name, what) MUTANT_##name,
#include "mutants.def"
#undef MUTATION
    MUTANTS_END
};
extern unsigned mutant;
#define MUTANT(name) (mutant == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif

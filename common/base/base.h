/* base.h -- the few macros and types that every file may use. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_USE     __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)

/* ASSERT -- what this program itself guarantees; always on.  Never for bytes from outside. */
#define ASSERT(x)                                                                              \
    do {                                                                                       \
        if (UNLIKELY(!(x)))                                                                    \
            assert_failed(__FILE__, __LINE__, #x);                                             \
    } while (0)

/* assert_failed -- log where and what, then abort; the supervisor starts the process again. */
_Noreturn void assert_failed(const char *file, int line, const char *expr);

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif

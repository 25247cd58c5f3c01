/* out.c -- the standard output, and the reason why it could not be written. */
#include "out.h"

#include "verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int failed; /* errno of the first write that did; a later call would have changed errno */

static bool note(bool done)
{
    if (!done && failed == 0)
        failed = errno;
    return failed == 0;
}

bool out(const char *text)
{
    return note(fputs(text, stdout) >= 0);
}

bool out_now(void)
{
    return note(fflush(stdout) == 0);
}

int out_end(int code)
{
    if (out_now() && ferror(stdout))
        failed = EIO; /* a printf() in between, which nobody asked */
    if (failed == 0 || failed == EPIPE)
        return code;
    fprintf(stderr, "chat: cannot write the output: %s\n", strerror(failed));
    return code == EXIT_OK ? EXIT_NO : code;
}

/* scratch.c -- an empty directory for one test, and nothing of it afterwards. */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

struct scratch scratch;

void scratch_open(struct scratch *s)
{
    snprintf(s->path, sizeof s->path, "/tmp/relay-test-XXXXXX");
    assert_non_null(mkdtemp(s->path));
    s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->dir >= 0);
    s->why[0] = '\0';
}

void scratch_close(struct scratch *s)
{
    DIR *d = fdopendir(s->dir);
    assert_non_null(d);
    rewinddir(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    assert_int_equal(rmdir(s->path), 0);
}

int scratch_setup(void **state)
{
    (void)state;
    scratch_open(&scratch);
    return 0;
}

int scratch_teardown(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

void scratch_put(struct scratch *s, const char *name, const char *content)
{
    assert_int_equal(replace_file(s->dir, name, content, strlen(content), 0600), 0);
}

long scratch_get(struct scratch *s, const char *name, char *to, size_t size)
{
    ssize_t n = read_file(s->dir, name, to, size);
    return n < 0 ? -1 : n;
}

void scratch_path(struct scratch *s, const char *name, char *to, size_t size)
{
    int n = snprintf(to, size, "%s/%s", s->path, name);
    assert_true(n > 0 && (size_t)n < size);
}

/* generation.c -- the record of a generation: what a running relay tells its clients and its successor. */
#include "instance/instance.h"

#include "base/sys.h"
#include "ipc/lock.h"
#include "ipc/mq.h"
#include "ipc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_runtime(const struct instance *i)
{
    int fd = open(i->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int generation_write(const struct instance *i, const struct generation *g)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "number %llu\npid %d\nshm %s\nlock %d\nready %d\nsystem %d\n",
                     (unsigned long long)g->number, (int)g->pid, g->shm, g->lock_id, g->ready, i->system);
    for (unsigned q = 0; q < g->n_queues; q++)
        n += snprintf(text + n, sizeof text - (size_t)n, "queue %s\n", g->queue[q]);
    int dir = open_runtime(i);
    if (dir < 0)
        return dir;
    int r = replace_brief_file(dir, "generation", text, (size_t)n, 0644);
    close(dir);
    return r;
}

static bool object_name_ok(const char *s)
{
    return s[0] == '/' && strlen(s) < OBJECT_NAME_MAX && strchr(s + 1, '/') == NULL;
}

static int read_line(struct generation *g, const char *line)
{
    char key[16], value[OBJECT_NAME_MAX];
    if (sscanf(line, "%15s %63s", key, value) != 2)
        return -EBADMSG;
    if (strcmp(key, "number") == 0) {
        g->number = strtoull(value, NULL, 10);
    } else if (strcmp(key, "pid") == 0) {
        g->pid = (pid_t)strtol(value, NULL, 10);
    } else if (strcmp(key, "lock") == 0) {
        g->lock_id = (int)strtol(value, NULL, 10);
    } else if (strcmp(key, "ready") == 0) {
        g->ready = strcmp(value, "1") == 0;
    } else if (strcmp(key, "system") == 0) {
        g->system = strcmp(value, "1") == 0;
    } else if (strcmp(key, "shm") == 0 && object_name_ok(value)) {
        snprintf(g->shm, sizeof g->shm, "%s", value);
    } else if (strcmp(key, "queue") == 0 && object_name_ok(value) &&
               g->n_queues < INSTANCE_QUEUES_MAX) {
        snprintf(g->queue[g->n_queues++], OBJECT_NAME_MAX, "%s", value);
    } else {
        return -EBADMSG;
    }
    return 0;
}

int generation_read(const struct instance *i, struct generation *g)
{
    char text[2048];
    struct stat dir_st, file_st;
    *g = (struct generation){.lock_id = -1};
    int dir = open_runtime(i);
    if (dir < 0)
        return dir;
    ssize_t n = read_file(dir, "generation", text, sizeof text);
    int bad = fstat(dir, &dir_st) | fstatat(dir, "generation", &file_st, AT_SYMLINK_NOFOLLOW);
    close(dir);
    if (n < 0)
        return (int)n;
    if (bad != 0)
        return -ENOENT;
    if (!S_ISREG(file_st.st_mode) || dir_st.st_uid != file_st.st_uid)
        return -EPERM;
    g->owner = file_st.st_uid;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (read_line(g, line) < 0)
            return -EBADMSG;
    return g->shm[0] ? 0 : -EBADMSG;
}

void generation_drop(const struct generation *g)
{
    struct lock l = {g->lock_id};
    if (g->shm[0])
        shm_drop(g->shm);
    if (g->lock_id >= 0 && lock_is_ours(&l))
        lock_drop(&l);
    for (unsigned q = 0; q < g->n_queues; q++)
        mq_drop(g->queue[q]);
}

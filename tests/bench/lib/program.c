/* program.c -- find and run a program. */
#include "program.h"

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static const char *const places[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin"};

static void beside(char *path, size_t size, const char *name)
{
    char self[BENCH_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    snprintf(path, size, "%s/../%s", self, name);
}

bool program_find(char *path, size_t size, const char *name)
{
    if (strchr(name, '/')) {
        beside(path, size, name);
        return access(path, X_OK) == 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        snprintf(path, size, "%s/%s", places[i], name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static void redirect(posix_spawn_file_actions_t *act, int from, int to)
{
    if (from >= 0)
        posix_spawn_file_actions_adddup2(act, from, to);
}

int program_run(const char *name, const char *const *argv, int in, int out)
{
    char path[BENCH_PATH_MAX + 32];
    posix_spawn_file_actions_t act;
    pid_t pid;
    int status;
    if (!program_find(path, sizeof path, name))
        bench_fail("there is no %s", name);
    posix_spawn_file_actions_init(&act);
    redirect(&act, in, STDIN_FILENO);
    redirect(&act, out, STDOUT_FILENO);
    if (posix_spawn(&pid, path, &act, NULL, (char *const *)(uintptr_t)argv, environ) != 0 || waitpid(pid, &status, 0) < 0)
        bench_fail("cannot run %s", path);
    posix_spawn_file_actions_destroy(&act);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

uint64_t programs_cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u + (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

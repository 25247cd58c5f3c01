/* bench.c -- options, the guard, and cleaning up. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "site.h"

enum { REPETITIONS = 3 };

uint64_t bench_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* ---- options ---- */

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [-n REPETITIONS] [--json]\n"
            "  -n    1 to %d, default %d; the median is shown, and half the range around it\n"
            "  --json  one object per line instead of a table\n",
            program, REPETITIONS_MAX, REPETITIONS);
    return 2;
}

static int parse(struct bench *b, int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
    *b = (struct bench){.repetitions = REPETITIONS};
    for (int c; (c = getopt_long(argc, argv, "n:", longs, NULL)) != -1;) {
        if (c == 'j')
            b->json = true;
        else if (c == 'n')
            b->repetitions = (unsigned)strtoul(optarg, NULL, 10);
        else
            return usage(argv[0]);
    }
    if (optind < argc || b->repetitions < 1 || b->repetitions > REPETITIONS_MAX)
        return usage(argv[0]);
    return 0;
}

/* ---- the directory ---- */

static void set_env(const char *name, const char *dir, const char *below)
{
    char path[BENCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s%s", dir, below);
    setenv(name, path, 1);
}

const char *bench_runtime(const struct bench *b)
{
    return b->memory[0] ? b->memory : b->dir;
}

void bench_live_in(const char *dir)
{
    set_env("RELAY_RUNTIME_DIR", dir, "/run");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* kill_orphans -- whoever outlived its parent is a child of the guard now; a peer that gave up root's rights forgets with them that
 * it was to die with its parent. */
static void kill_orphans(void)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    while (read_file(AT_FDCWD, path, text, sizeof text) > 0)
        for (char *end, *p = text; strtol(p, &end, 10) > 0; p = end) {
            kill((pid_t)strtol(p, NULL, 10), SIGKILL);
            waitpid((pid_t)strtol(p, NULL, 10), NULL, 0);
        }
}

static int clean(const char *dir)
{
    if (!dir[0])
        return 0;
    bench_live_in(dir);
    int r = site_stop_all(dir);
    kill_orphans();
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
        fprintf(stderr, "bench: %s cannot be removed: %s\n", dir, strerror(errno));
        r = -errno;
    }
    return r;
}

static int clean_up(const struct bench *b)
{
    int r = clean(b->memory), also = clean(b->dir); /* where relays are first: their stores are in the other one */
    return r < 0 ? r : also;
}

/* hold -- this directory is in use as long as we live; -1: it is not ours, or somebody else's who lives. */
static int hold(const char *dir)
{
    struct stat st;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0))
        close_fd(&fd);
    return fd;
}

/* clean_after_killed -- what is left of benchmarks whose guard was killed, too: directories that nobody holds. */
static void clean_after_killed(const char *pattern)
{
    glob_t found = {0};
    (void)glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int fd = hold(found.gl_pathv[i]);
        if (fd >= 0)
            (void)clean(found.gl_pathv[i]);
        close_fd(&fd);
    }
    globfree(&found);
}

/* make_one -- in `parent`, and ours.  Returns false and no directory when it cannot be made. */
static bool make_one(char dir[BENCH_PATH_MAX], const char *parent)
{
    char pattern[BENCH_PATH_MAX];
    snprintf(pattern, sizeof pattern, "%s/chat-bench.*", parent);
    clean_after_killed(pattern);
    int n = snprintf(dir, BENCH_PATH_MAX, "%s/chat-bench.XXXXXX", parent);
    bool made = n > 0 && n < BENCH_PATH_MAX && mkdtemp(dir) && hold(dir) >= 0;
    if (!made)
        dir[0] = '\0';
    return made;
}

static int make_dir(struct bench *b)
{
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && *tmp ? tmp : "/tmp";
    (void)make_one(b->memory, "/dev/shm"); /* first: what is left of relays there lives in the other one, too */
    if (!make_one(b->dir, tmp)) {
        fprintf(stderr, "bench: cannot make a directory in %s: %s\n", tmp, strerror(errno));
        rmdir(b->memory);
        return -1;
    }
    bench_live_in(bench_runtime(b));
    set_env("RELAY_STATE_DIR", b->dir, "/state");
    set_env("HOME", b->dir, ""); /* no settings of the user's */
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("CHAT_INSTANCE");
    return 0;
}

/* ---- the guard ---- */

static volatile sig_atomic_t caught;
static volatile pid_t guarded;

static void on_signal(int signo)
{
    caught = signo;
    if (guarded > 0)
        kill(guarded,
             SIGKILL); /* what it started dies with it; relays are stopped by the guard */
}

static void catch_signals(struct sigaction *action)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], action, NULL);
}

static _Noreturn void child(const struct bench *b, int (*run)(const struct bench *b),
                            pid_t guard)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    struct rlimit files;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    catch_signals(&by_default);
    setpgid(0, 0); /* Ctrl-C reaches the guard alone, and the guard decides */
    setvbuf(stdout, NULL, _IOLBF, 0); /* so that nothing is written twice after a fork */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    exit(getppid() == guard ? run(b) : 1);
}

int bench_main(int argc, char **argv, int (*run)(const struct bench *b))
{
    struct bench b;
    struct sigaction action = {.sa_handler = on_signal};
    int status = 0, r = parse(&b, argc, argv);
    if (r != 0)
        return r;
    catch_signals(&action);
    if (make_dir(&b) < 0)
        return 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t guard = getpid(), pid = fork();
    if (pid == 0)
        child(&b, run, guard);
    guarded = pid;
    signal(SIGPIPE, SIG_IGN); /* nobody may read any more what it says, and yet it has to clean up */
    if (caught && pid > 0)
        kill(pid, SIGKILL);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    guarded = 0;
    if (pid > 0 && WIFSIGNALED(status) && !caught)
        fprintf(stderr, "bench: killed by signal %d\n", WTERMSIG(status));
    r = clean_up(&b);
    if (caught)
        return 128 + caught;
    return pid > 0 && WIFEXITED(status) && r == 0 ? WEXITSTATUS(status) : 1;
}

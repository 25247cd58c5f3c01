/* finder.c -- the relay to talk to, started if need be. */
#include "finder.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_MS = 100,      /* before a relay that did not start is started again, then twice as long ... */
    START_MAX_MS = 3000, /* ... up to this */
    FIRST_STARTS = 3,    /* who never had one to talk to gives up when so many fail */
};

static int choose_instance(struct finder *f)
{
    const char *name = f->instance ? f->instance : getenv("CHAT_INSTANCE");
    name = name && *name ? name : INSTANCE_DEFAULT;
    if (instance_system(&f->inst, name) < 0)
        return -EINVAL;
    struct generation g;
    if (generation_alive(&f->inst) && generation_read(&f->inst, &g) == 0 && g.system)
        return 0;
    return instance_user(&f->inst, name);
}

/* start_relay -- `relay start`, from beside this program or from PATH. */
static void start_relay(struct finder *f)
{
    char self[INSTANCE_PATH_MAX], path[INSTANCE_PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    snprintf(path, sizeof path, "%s/../bin/relay", self); /* build/FLAVOUR/{bin,tools}, PREFIX/{bin,sbin} */
    int null = f->starts > 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1; /* why it fails is said once */
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); /* a conversation blocks some */
        if (null >= 0)
            dup2(null, 2);
        execl(path, "relay", "-i", f->inst.name, "start", (char *)NULL);
        execlp("relay", "relay", "-i", f->inst.name, "start", (char *)NULL);
        execl("/usr/local/sbin/relay", "relay", "-i", f->inst.name, "start", (char *)NULL);
        dprintf(2, "chat: the program relay is neither beside chat nor in PATH; install it, or ask the admin of this host\n");
        _exit(127);
    }
    close_fd(&null);
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    f->started |= status == 0;
    f->start_at = now_ms() + min_u64((uint64_t)START_MS << min_u64(f->starts, 5), START_MAX_MS);
    f->starts++;
}

/* was_made -- a name that never was an instance's is more likely a slip. */
static bool was_made(const struct instance *i)
{
    return strcmp(i->name, INSTANCE_DEFAULT) == 0 || access(i->state, F_OK) == 0;
}

int finder_find(struct finder *f, bool met)
{
    int r = choose_instance(f);
    if (r < 0)
        return r;
    if (!generation_alive(&f->inst)) {
        /* A relay that was stopped takes its record with it, one that was killed does not: only that is started. */
        bool stopped = met && generation_read(&f->inst, &f->gen) == -ENOENT;
        if (f->start && !was_made(&f->inst))
            return -ENXIO;
        if (f->inst.system || !f->start || stopped)
            return -ENOENT;
        if (!met && f->starts >= FIRST_STARTS)
            return -ECHILD;
        if (now_ms() < f->start_at)
            return -ENOENT;
        start_relay(f);
    }
    r = generation_read(&f->inst, &f->gen);
    return r < 0 ? r : f->gen.ready && f->gen.n_queues > 0 ? 0 : -ENOENT;
}

void finder_found(struct finder *f)
{
    f->starts = 0;
    f->start_at = 0;
}

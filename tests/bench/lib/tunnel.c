/* tunnel.c -- bytes through a pair of OpenSSL's. */
#include "tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"
#include "program.h"
#include "rough.h"

enum { RECORD = 16384, WAIT_MS = 10 * 1000 };

static int listen_anywhere(char *address, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        bench_fail("cannot listen: %s", strerror(errno));
    snprintf(address, size, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static void shake(struct rough *r, int fd, const char *dir, bool server)
{
    rough_begin(r, fd, dir);
    SSL_set_ciphersuites(r->ssl, "TLS_AES_128_GCM_SHA256");
    if (!rough_shake(r, server, WAIT_MS))
        bench_fail("no TLS: %s", r->why);
}

/* receive -- all of it, then one byte back. */
static _Noreturn void receive(int listener, const char *dir, uint64_t total)
{
    struct rough r;
    static char buf[RECORD];
    shake(&r, accept4(listener, NULL, NULL, SOCK_CLOEXEC), dir, true);
    for (uint64_t got = 0; got < total;) {
        int n = SSL_read(r.ssl, buf, sizeof buf);
        if (n <= 0)
            bench_fail("the tunnel broke");
        got += (uint64_t)n;
    }
    exit(rough_send(&r, "!", 1) ? 0 : 1);
}

struct result tunnel_run(const char *dir, uint32_t count, size_t bytes)
{
    struct rough r;
    char address[32], byte;
    static char buf[RECORD];
    uint64_t total = (uint64_t)count * bytes, before = programs_cpu_ns(), own = cpu_ns(getpid());
    int listener = listen_anywhere(address, sizeof address), status = 1;
    rough_certificate(dir, 90);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        receive(listener, dir, total);
    }
    shake(&r, rough_dial(address, 0), dir, false);
    uint64_t start = bench_ns();
    for (uint64_t left = total; left > 0;) {
        size_t n = (size_t)min_u64(left, sizeof buf);
        if (!rough_send(&r, buf, n))
            bench_fail("the tunnel broke");
        left -= n;
    }
    if (SSL_read(r.ssl, &byte, 1) != 1)
        bench_fail("the tunnel broke");
    struct result result = {.seconds = (double)(bench_ns() - start) / 1e9, .count = count};
    rough_close(&r);
    close(listener);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        bench_fail("the other end of the tunnel failed");
    result.server_ns = (double)(programs_cpu_ns() - before + cpu_ns(getpid()) - own);
    return result;
}

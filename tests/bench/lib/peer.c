/* peer.c -- the table of peers; starting one, and becoming a member. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"
#include "program.h"
#include "tcp_floor.h"

enum { REACH_MS = 20 * 1000, REACH_NUMBER = 98, REACH_LEN = 200, START_MS = 15 * 1000, ANSWER_S = 15, ANSWER_MAX = 64 * 1024, ARGS_MAX = 8, MARK_MAX = 16, CONF_MAX = 4096 };

/* ---- the table ---- */

static const char inspircd_conf[] =
    "<server name=\"bench.test\" description=\"bench\" network=\"bench\">\n"
    "<admin name=\"bench\" email=\"bench@bench.test\" nick=\"bench\">\n"
    "<bind address=\"127.0.0.1\" port=\"%u\" type=\"clients\">\n"
    "<connect name=\"all\" allow=\"*\" timeout=\"60\" pingfreq=\"86400\" recvq=\"1G\" softsendq=\"2G\" hardsendq=\"3G\""
    " fakelag=\"no\" commandrate=\"1000000000\" threshold=\"1000000\" localmax=\"100000\" globalmax=\"100000\""
    " limit=\"100000\" maxconnwarn=\"no\" resolvehostnames=\"no\" useconnectban=\"no\" useconnflood=\"no\">\n"
    "<options defaultmodes=\"t\">\n" /* who is not in a room may speak there */
    "<performance netbuffersize=\"65534\" somaxconn=\"1024\" softlimit=\"100000\" quietbursts=\"yes\">\n"
    "<log method=\"file\" type=\"STARTUP\" level=\"default\" target=\"%d/inspircd.log\">\n"
    "<path configdir=\"%d\" datadir=\"%d\" logdir=\"%d\" runtimedir=\"%d\">\n";

static const char ngircd_conf[] =
    "[Global]\nName = bench.test\nInfo = bench\nListen = 127.0.0.1\nPorts = %u\nMotdPhrase = bench\n"
    "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\nMaxListSize = 0\n"
    "PingTimeout = 86400\nPongTimeout = 86400\n"
    "[Options]\nDNS = no\nIdent = no\nPAM = no\nSyslogFacility = local1\n";

static const char redis_conf[] =
    "bind 127.0.0.1\nport %u\nsave \"\"\nappendonly no\ndir %d\nmaxclients 50000\ntimeout 0\n"
    "client-output-buffer-limit pubsub 0 0 0\nclient-output-buffer-limit normal 0 0 0\n";

static const char nats_conf[] =
    "listen: \"127.0.0.1:%u\"\nmax_pending: 2GB\nwrite_deadline: \"60s\"\nping_interval: \"24h\"\nmax_connections: 100000\n";

static const char *const inspircd_args[] = {"--runasroot", "--nofork", "--nopid", "--config", "%c", NULL};
static const char *const ngircd_args[] = {"-n", "-f", "%c", NULL};
static const char *const redis_args[] = {"%c", NULL};
static const char *const nats_args[] = {"-c", "%c", NULL};

static const char irc_hello[] = "NICK b%u\r\nUSER b b b b\r\n";

static const struct peer_kind kinds[] = {
    {"Redis", "redis-server", redis_args, redis_conf, "PING\r\n", "+PONG", "SUBSCRIBE r%u\r\n", "subscribe",
     "*3\r\n$7\r\nPUBLISH\r\n$3\r\nr%u\r\n$200\r\n", 0, false},
    {"NATS", "nats-server", nats_args, nats_conf, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n", "PONG",
     "SUB r%u 1\r\nPING\r\n", "PONG", "PUB r%u 200\r\n", 0, false},
    /* What a read that fills its buffer of 64 KiB causes is not written before something else happens, or a second later. */
    {"InspIRCd", "inspircd", inspircd_args, inspircd_conf, irc_hello, " 001 ", "JOIN #r%u\r\n", " 366 ",
     "PRIVMSG #r%u :", 256, true},
    /* It cuts off whoever has 32 KiB more to be sent than the kernel takes. */
    {"ngircd", "ngircd", ngircd_args, ngircd_conf, irc_hello, " 001 ", "JOIN #r%u\r\n", " 366 ", "PRIVMSG #r%u :", 512, false},
};

const struct peer_kind peer_floor = {"TCP floor", NULL, NULL, NULL, "", "+", "J%u\r\n", "+", "%u ", 0, false};

static const struct peer_kind *next_of(const struct peer_kind *k, bool installed)
{
    char path[PEER_WORD_MAX];
    for (k = k ? k + 1 : kinds; k < kinds + ARRAY_LEN(kinds); k++)
        if (program_find(path, sizeof path, k->program) == installed)
            return k;
    return NULL;
}

const struct peer_kind *peer_next(const struct peer_kind *k)
{
    return next_of(k, true);
}

const struct peer_kind *peer_missing(const struct peer_kind *k)
{
    return next_of(k, false);
}

/* ---- start ---- */

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* listen_somewhere -- on a free port. */
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in at = address_of(0);
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        bench_fail("cannot listen: %s", strerror(errno));
    *port = ntohs(at.sin_port);
    return fd;
}

uint16_t peer_free_port(void)
{
    uint16_t port;
    close(listen_somewhere(&port));
    return port;
}

size_t peer_word(char *to, size_t size, const char *format, unsigned number, const char *dir)
{
    size_t len = 0;
    for (const char *c = format; *c; c++) {
        int n = 1;
        if (*c != '%')
            to[len] = *c;
        else if (*++c == 'u')
            n = snprintf(to + len, size - len, "%02u", number);
        else
            n = snprintf(to + len, size - len, "%s", dir);
        len += (size_t)n;
        ASSERT(len < size);
    }
    to[len] = '\0';
    return len;
}

static void write_conf(const struct peer *p, const char *dir, const char *path)
{
    char text[CONF_MAX];
    size_t len = peer_word(text, sizeof text, p->kind->conf, p->port, dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, text, len) < 0)
        bench_fail("cannot write %s: %s", path, strerror(errno));
    close(fd);
}

/* exec_peer -- with what it says in a file beside its configuration. */
static _Noreturn void exec_peer(const struct peer *p, const char *conf)
{
    char program[PEER_WORD_MAX], log[BENCH_PATH_MAX + 64];
    const char *argv[ARGS_MAX] = {p->kind->program};
    for (size_t i = 0; p->kind->args[i]; i++)
        argv[i + 1] = strcmp(p->kind->args[i], "%c") == 0 ? conf : p->kind->args[i];
    snprintf(log, sizeof log, "%s.log", conf);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && program_find(program, sizeof program, p->kind->program) && dup2(fd, STDOUT_FILENO) >= 0 &&
        dup2(fd, STDERR_FILENO) >= 0)
        execv(program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static bool try_connect(uint16_t port, int *fd)
{
    struct sockaddr_in at = address_of(port);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && connect(*fd, (struct sockaddr *)&at, sizeof at) == 0)
        return true;
    close_fd(fd);
    return false;
}

static void await_start(struct peer *p)
{
    int fd;
    for (uint64_t deadline = now_ms() + START_MS; !try_connect(p->port, &fd); poll(NULL, 0, 1)) {
        if (waitpid(p->pid, NULL, WNOHANG) != 0)
            bench_fail("%s does not start", p->kind->name);
        if (now_ms() > deadline)
            bench_fail("%s takes no connection after %d ms", p->kind->name, START_MS);
    }
    close(fd);
}

void peer_start(struct peer *p, const struct peer_kind *kind, const char *dir)
{
    char conf[BENCH_PATH_MAX + 32];
    *p = (struct peer){.kind = kind};
    int door = listen_somewhere(&p->port);
    if (kind->program)
        close_fd(&door);
    snprintf(conf, sizeof conf, "%s/%s.conf", dir, kind->name);
    if (kind->program)
        write_conf(p, dir, conf);
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (kind->program)
            exec_peer(p, conf);
        tcp_floor_serve(door);
    }
    close_fd(&door);
    if (p->pid < 0)
        bench_fail("cannot start %s: %s", kind->name, strerror(errno));
    await_start(p);
}

void peer_stop(struct peer *p)
{
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- members ---- */

/* expect -- read until the answer holds `mark`; what is behind it is nothing that anybody waits for. */
static void expect(const struct peer *p, int fd, const char *mark)
{
    static char text[ANSWER_MAX];
    size_t len = 0, mark_len = strlen(mark);
    while (!memmem(text, len, mark, mark_len)) {
        if (len > sizeof text / 2) { /* the mark may have begun */
            memmove(text, text + len - MARK_MAX, MARK_MAX);
            len = MARK_MAX;
        }
        ssize_t n = recv(fd, text + len, sizeof text - len, 0);
        if (n <= 0)
            bench_fail("%s does not answer '%s': %s", p->kind->name, mark, n < 0 ? strerror(errno) : "closed");
        len += (size_t)n;
    }
}

static void tell(const struct peer *p, int fd, const char *format, unsigned number)
{
    char line[PEER_WORD_MAX];
    size_t len = peer_word(line, sizeof line, format, number, "");
    if (write_all(fd, line, len) < 0)
        bench_fail("%s takes nothing: %s", p->kind->name, strerror(errno));
}

int peer_connect(const struct peer *p, unsigned number)
{
    struct timeval patience = {.tv_sec = ANSWER_S};
    int fd, on = 1;
    if (!try_connect(p->port, &fd))
        bench_fail("%s takes no connection: %s", p->kind->name, strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    tell(p, fd, p->kind->hello, number);
    return fd;
}

void peer_greeted(const struct peer *p, int fd)
{
    expect(p, fd, p->kind->greeted);
}

void peer_join(const struct peer *p, int fd, unsigned room)
{
    tell(p, fd, p->kind->join, room);
    expect(p, fd, p->kind->joined);
}

/* What is said looks like no message of a benchmark, for more than one may be heard. */
void peer_reach(const struct peer *p, int fd, unsigned room)
{
    char line[PEER_WORD_MAX + REACH_LEN + 2], heard[ANSWER_MAX];
    size_t head = peer_word(line, PEER_WORD_MAX, p->kind->head, room, ""), len = head + REACH_LEN + 2;
    int speaker = peer_connect(p, REACH_NUMBER);
    peer_greeted(p, speaker);
    memset(line + head, '.', REACH_LEN);
    memcpy(line + len - 2, "\r\n", 2);
    for (uint64_t deadline = now_ms() + REACH_MS;;) {
        struct pollfd in = {fd, POLLIN, 0};
        if (write_all(speaker, line, len) < 0)
            bench_fail("%s takes nothing: %s", p->kind->name, strerror(errno));
        ssize_t n = poll(&in, 1, 20) == 1 ? recv(fd, heard, sizeof heard, 0) : 0;
        if (n > 0 && memmem(heard, (size_t)n, line + head, REACH_LEN))
            break;
        if (now_ms() > deadline)
            bench_fail("%s is not linked after %d ms", p->kind->name, REACH_MS);
    }
    close(speaker);
}

/* join.c -- the invited host's side of an invitation: show the secret, hear the answer. */
#include "admin/admin.h"

#include "base/sys.h"
#include "frame/body.h"
#include "ipc/tls.h"
#include "net/address.h"
#include "trust/invites.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_MS = 10 * 1000, LEAF_DAYS = 90 };

/* One conversation. */
struct call {
    struct tls *tls;
    uint8_t pin[KEY_PIN_LEN]; /* who must be there */
    uint64_t deadline;
    char *why;
    size_t why_size;
};

static bool is_host(void *arg, const uint8_t pin[KEY_PIN_LEN])
{
    const struct call *c = arg;
    return memcmp(c->pin, pin, KEY_PIN_LEN) == 0;
}

/* wait_for -- until the socket is as TLS wants it.  Returns 0 or -ETIMEDOUT. */
static int wait_for(struct call *c)
{
    uint64_t now = now_ms();
    struct pollfd p = {tls_fd(c->tls), (tls_wants(c->tls) & EPOLLIN ? POLLIN : 0) | (tls_wants(c->tls) & EPOLLOUT ? POLLOUT : 0), 0};
    if (now >= c->deadline || (poll(&p, 1, (int)(c->deadline - now)) < 0 && errno != EINTR))
        return -ETIMEDOUT;
    return now_ms() >= c->deadline ? -ETIMEDOUT : 0;
}

static int connect_to(const char *address, char *why, size_t why_size)
{
    struct lookup l;
    const struct addrinfo *to;
    uint64_t deadline = now_ms() + ANSWER_MS;
    lookup_init(&l, address);
    int r;
    while ((r = lookup_next(&l, &to)) == -EAGAIN && now_ms() < deadline)
        poll(NULL, 0, 5); /* the name is being looked up */
    r = r == 0 ? address_connect(to) : -EHOSTUNREACH;
    lookup_free(&l);
    if (r < 0)
        snprintf(why, why_size, "%s cannot be reached; is its relay running, does it listen, is there a firewall?", address);
    return r;
}

/* talk -- send the frame, read the one that answers.  Returns 0 or -errno with a sentence. */
static int talk(struct call *c, const uint8_t *frame, size_t len, uint8_t answer[FRAME_MAX])
{
    size_t sent = 0, got = 0;
    bool ready = false;
    for (;;) {
        enum tls_event e = tls_pump(c->tls);
        ready |= e == TLS_READY;
        if (ready && sent < len) {
            ssize_t n = tls_send(c->tls, frame + sent, len - sent);
            sent += n > 0 ? (size_t)n : 0;
            e = tls_pump(c->tls);
        }
        ssize_t n = ready ? tls_recv(c->tls, answer + got, FRAME_MAX - got) : -EAGAIN;
        got += n > 0 ? (size_t)n : 0;
        for (int k; got > 0 && (k = frame_check(answer, got)) != 0;) {
            if (k > 0 && frame_type(answer) == FRAME_FAREWELL)
                return 0;
            if (k < 0)
                return -EBADMSG;
            memmove(answer, answer + k, got -= (size_t)k); /* a greeting: it takes us for a peer already */
        }
        if (n == -EPIPE || e == TLS_FAILED || e == TLS_CLOSED) {
            snprintf(c->why, c->why_size, "%s; the invitation may be used up or expired: ask for a new one (relay invite)",
                     tls_why(c->tls));
            return -EPIPE;
        }
        if (n <= 0 && wait_for(c) < 0) {
            snprintf(c->why, c->why_size, "it does not answer; is its relay running?");
            return -ETIMEDOUT;
        }
    }
}

/* our_certificate -- that of the links; made here if the relay has not run yet. */
static int our_certificate(const struct instance *inst, int dir, const struct identity *id, const char *name,
                           struct tls_identity **tls, char *why, size_t why_size)
{
    char pem[INSTANCE_PATH_MAX + 16];
    struct stat st;
    snprintf(pem, sizeof pem, "%s/" LEAF_FILE, inst->state);
    if (fstatat(dir, LEAF_FILE, &st, 0) < 0) {
        int r = identity_issue_leaf(id, dir, name, LEAF_DAYS);
        if (r < 0) {
            snprintf(why, why_size, "cannot write a certificate into %s: %s", inst->state, strerror(-r));
            return r;
        }
    }
    return tls_identity_load(tls, pem, pem, why, why_size);
}

int admin_accept(const struct instance *inst, int dir, const struct identity *id, const struct invite *i, struct text name,
                 struct text address, char *why, size_t why_size)
{
    struct call c = {.deadline = now_ms() + ANSWER_MS, .why = why, .why_size = why_size};
    struct tls_identity *tls = NULL;
    struct enrol e = {.name = name, .address = address};
    uint8_t frame[FRAME_MAX], answer[FRAME_MAX];
    struct reasoned said;
    memcpy(e.secret, i->secret, SECRET_LEN);
    key_pin(i->host.key, c.pin);
    int n = write_enrol(frame, &e);
    if (n < 0) {
        snprintf(why, why_size, "this host's name or address cannot be sent; see `name` and `address` in relay.conf");
        return n;
    }
    int r = our_certificate(inst, dir, id, name.p, &tls, why, why_size);
    int fd = r == 0 ? connect_to(i->host.address, why, why_size) : r;
    if (fd >= 0 && (r = tls_new(&c.tls, tls, fd, false, is_host, &c)) < 0)
        close(fd);
    if (fd >= 0 && r == 0)
        r = talk(&c, frame, (size_t)n, answer);
    if (fd >= 0 && r == 0 && read_reasoned(answer, &said) == 0 && said.reason != REASON_OK) {
        snprintf(why, why_size, "it says: %.*s", (int)said.text.len, said.text.p);
        r = -EACCES;
    }
    tls_free(c.tls);
    tls_identity_free(tls);
    return fd < 0 ? fd : r;
}

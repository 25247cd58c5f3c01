/* address.c -- names and numbers of the network. */
#include "net/address.h"

#include "base/bytes.h"
#include "base/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct addrinfo stream = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

/* split -- "HOST:PORT" or "[V6]:PORT". */
static bool split(const char *address, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || strlen(colon + 1) >= port_size)
        return false;
    size_t len = (size_t)(colon - address);
    if (address[0] == '[' && len > 2 && colon[-1] == ']') {
        address++;
        len -= 2;
    }
    if (len >= host_size)
        return false;
    memcpy(host, address, len);
    host[len] = '\0';
    snprintf(port, port_size, "%s", colon + 1);
    return true;
}

static int listen_on(const struct addrinfo *a)
{
    int one = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 128) == 0)
        return fd;
    int e = errno;
    close(fd);
    return -e;
}

int address_listen(const char *address, char *why, size_t why_size)
{
    char host[ADDRESS_MAX], port[16];
    struct addrinfo hints = stream, *found = NULL;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST;
    if (!split(address, host, sizeof host, port, sizeof port) ||
        getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found) != 0) {
        snprintf(why, why_size, "cannot listen on \"%s\": it must be ADDRESS:PORT or *:PORT, with a numeric address", address);
        return -EINVAL;
    }
    int fd = listen_on(found);
    freeaddrinfo(found);
    if (fd == -EADDRINUSE)
        snprintf(why, why_size, "cannot listen on %s: another program does; set `listen` to another port", address);
    else if (fd < 0)
        snprintf(why, why_size, "cannot listen on %s: %s; see `listen` in relay.conf", address, strerror(-fd));
    return fd;
}

static void as_text(const struct sockaddr_storage *at, socklen_t len, char *to, size_t size)
{
    char host[INET6_ADDRSTRLEN], port[16];
    to[0] = '\0';
    if (getnameinfo((const struct sockaddr *)at, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(to, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

void address_local(int fd, char *to, size_t size)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    to[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        as_text(&at, len, to, size);
}

void address_remote(int fd, char *to, size_t size)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    to[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&at, &len) == 0)
        as_text(&at, len, to, size);
}

uint64_t address_source(int fd)
{
    struct sockaddr_storage at;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at;
    socklen_t len = sizeof at;
    if (getpeername(fd, (struct sockaddr *)&at, &len) < 0)
        return 0;
    if (at.ss_family == AF_INET)
        return get_u32((const uint8_t *)&v4->sin_addr);
    return get_u64(v6->sin6_addr.s6_addr + (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 8 : 0));
}

/* ---- look up ---- */

void address_public(const char *configured, const char *listening, char *to, size_t size)
{
    const char *port = strrchr(listening, ':');
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    if (configured[0])
        snprintf(to, size, "%s", configured);
    else if (!port || strcmp(port, ":0") == 0)
        snprintf(to, size, "-");
    else if (strncmp(listening, "0.0.0.0:", 8) == 0 || strncmp(listening, "[::]:", 5) == 0 || listening[0] == '*')
        snprintf(to, size, "%.100s%.8s", host, port);
    else
        snprintf(to, size, "%s", listening);
}

void lookup_init(struct lookup *l, const char *address)
{
    *l = (struct lookup){0};
    if (!split(address, l->host, sizeof l->host, l->port, sizeof l->port))
        l->host[0] = '\0';
}

static void forget(struct lookup *l)
{
    if (l->found)
        freeaddrinfo(l->found);
    l->found = l->next = NULL;
}

void lookup_free(struct lookup *l)
{
    if (l->asking) {
        (void)gai_cancel(&l->request);
        const struct gaicb *one[] = {&l->request};
        while (gai_error(&l->request) == EAI_INPROGRESS) /* it writes into our memory until then */
            (void)gai_suspend(one, 1, NULL);
        l->found = l->request.ar_result;
    }
    forget(l);
}

/* ask -- a number at once, a name in the background. */
static int ask(struct lookup *l)
{
    struct addrinfo numeric = stream;
    numeric.ai_flags = AI_NUMERICHOST;
    forget(l);
    if (getaddrinfo(l->host, l->port, &numeric, &l->found) == 0) {
        l->next = l->found;
        return 0;
    }
    struct gaicb *one[] = {&l->request};
    l->request = (struct gaicb){.ar_name = l->host, .ar_service = l->port, .ar_request = &stream};
    if (getaddrinfo_a(GAI_NOWAIT, one, 1, NULL) != 0)
        return -EHOSTUNREACH;
    l->asking = true;
    return -EAGAIN;
}

int lookup_next(struct lookup *l, const struct addrinfo **to)
{
    int r = 0;
    if (!l->host[0])
        return -EHOSTUNREACH;
    if (!l->asking && !l->next)
        r = ask(l);
    if (l->asking) {
        r = gai_error(&l->request);
        if (r == EAI_INPROGRESS)
            return -EAGAIN;
        l->asking = false;
        l->found = l->next = r == 0 ? l->request.ar_result : NULL;
        r = l->found ? 0 : -EHOSTUNREACH;
    }
    if (r < 0)
        return r;
    *to = l->next;
    l->next = l->next->ai_next;
    return 0;
}

void address_tune(int fd)
{
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

bool address_answers(int fd, unsigned within_ms)
{
    struct tcp_info i;
    socklen_t len = sizeof i;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len) < 0 || i.tcpi_unacked == 0 || i.tcpi_last_ack_recv < within_ms;
}

int address_connect(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    address_tune(fd);
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS)
        return fd;
    int e = errno;
    close(fd);
    return -e;
}

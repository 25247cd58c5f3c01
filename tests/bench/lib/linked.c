/* linked.c -- what is said in the configuration of two linked peers before all else. */
#include "linked.h"

#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "program.h"

/* %u: the port of the link; %d: the directory.  Of several <server> the first one counts. */
static const struct wiring {
    const char *name, *far_name, *near, *far;
} wirings[] = {
    {"NATS", "NATS-far",
     "cluster { name: bench, listen: \"127.0.0.1:%u\", tls { cert_file: \"%d/link.crt\", "
     "key_file: \"%d/link.key\", ca_file: "
     "\"%d/link.crt\", verify: true } }\n",
     "cluster { name: bench, listen: \"127.0.0.1:-1\", routes: "
     "[\"nats-route://127.0.0.1:%u\"], tls { cert_file: \"%d/link.crt\", "
     "key_file: \"%d/link.key\", ca_file: \"%d/link.crt\", verify: true } }\n"},
    {"InspIRCd", "InspIRCd-far",
     "<server name=\"near.test\" description=\"near\" network=\"bench\"><module "
     "name=\"ssl_gnutls\"><module name=\"spanningtree\">\n"
     "<sslprofile name=\"link\" provider=\"gnutls\" certfile=\"%d/link.crt\" "
     "keyfile=\"%d/link.key\" cafile=\"\">\n"
     "<bind address=\"127.0.0.1\" port=\"%u\" type=\"servers\" sslprofile=\"link\">\n"
     "<link name=\"far.test\" ipaddr=\"127.0.0.1\" port=\"1\" sslprofile=\"link\" "
     "sendpass=\"bench\" recvpass=\"bench\">\n",
     "<server name=\"far.test\" description=\"far\" network=\"bench\"><module "
     "name=\"ssl_gnutls\"><module name=\"spanningtree\">\n"
     "<sslprofile name=\"link\" provider=\"gnutls\" certfile=\"%d/link.crt\" "
     "keyfile=\"%d/link.key\" cafile=\"\">\n"
     "<link name=\"near.test\" ipaddr=\"127.0.0.1\" port=\"%u\" sslprofile=\"link\" "
     "sendpass=\"bench\" recvpass=\"bench\">\n"
     "<autoconnect period=\"1\" server=\"near.test\">\n"},
};

static const char make_certificate[] = "cd \"$1\" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                                       "-subj /CN=bench -addext "
                                       "subjectAltName=IP:127.0.0.1 -keyout link.key -out link.crt 2>link.log";

static const struct wiring *wiring_of(const struct peer_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(wirings); i++)
        if (strcmp(wirings[i].name, kind->name) == 0)
            return &wirings[i];
    return NULL;
}

bool linked_can(const struct peer_kind *kind)
{
    char path[PEER_WORD_MAX];
    return wiring_of(kind) && program_find(path, sizeof path, "openssl");
}

/* wire -- its kind, with another configuration. */
static void wire(struct peer_kind *to, char conf[LINKED_CONF_MAX], const struct peer_kind *kind, const char *wiring, uint16_t port,
                 const char *dir)
{
    size_t len = peer_word(conf, LINKED_CONF_MAX, wiring, port, dir);
    snprintf(conf + len, LINKED_CONF_MAX - len, "%s", kind->conf);
    *to = *kind;
    to->conf = conf;
}

void linked_start(struct linked *l, const struct peer_kind *kind, const char *dir)
{
    const struct wiring *w = wiring_of(kind);
    uint16_t port = peer_free_port();
    if (program_run("sh", (const char *const[]){"sh", "-c", make_certificate, "sh", dir, NULL}, -1, -1) != 0)
        bench_fail("no certificate for a link of %s", kind->name);
    wire(&l->near_kind, l->near_conf, kind, w->near, port, dir);
    wire(&l->far_kind, l->far_conf, kind, w->far, port, dir);
    l->far_kind.name = w->far_name; /* its files are called so */
    peer_start(&l->near, &l->near_kind, dir);
    peer_start(&l->far, &l->far_kind, dir);
}

void linked_stop(struct linked *l)
{
    peer_stop(&l->far);
    peer_stop(&l->near);
}

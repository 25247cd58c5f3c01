/* view_inside.h -- what the parts of a view share: view.c what is shown, view_line.c for people, view_json.c for programs. */
#ifndef CHAT_VIEW_INSIDE_H
#define CHAT_VIEW_INSIDE_H

#include "render.h"
#include "view.h"

enum { ASSEMBLIES = 16, HOST_NUMBER_SIZE = 17, VIEW_LINE_MAX = TEXT_MESSAGE_MAX * RENDER_GROWTH * 2 + 1024 };

/* A message of which parts are there. */
struct assembly {
    uint64_t client, room;
    size_t len;
    char *text; /* TEXT_MESSAGE_MAX bytes */
};

struct view {
    const struct port *port;
    struct view_options o;
    unsigned how; /* of render.h */
    struct assembly part[ASSEMBLIES];
    unsigned next;
    char *line;     /* VIEW_LINE_MAX bytes */
    char *rendered; /* RENDER_SIZE(TEXT_MESSAGE_MAX) */
    char *json;     /* the last object; NULL: none yet */
    int day;
    size_t messages;
};

/* view_host -- what a host is called here, or its number as rooms.c takes it. */
struct text view_host(const struct view *v, uint64_t host, char number[HOST_NUMBER_SIZE]);

/* Each returns the whole lines for one frame, valid until the next call; "" when it cannot be read, or there is nothing to show.
 * Of a message the text is given, put together from its parts. */
const char *line_message(struct view *v, const uint8_t *f, const struct say *s);
const char *line_act(struct view *v, const uint8_t *f);
const char *line_fact(struct view *v, const uint8_t *f);
const char *line_change(struct view *v, const uint8_t *f);
const char *line_notice(struct view *v, const uint8_t *f);
const char *line_gone(struct view *v, const uint8_t *f);
const char *line_who(struct view *v, const uint8_t *f);
const char *line_room(struct view *v, const uint8_t *f);
const char *json_message(struct view *v, const uint8_t *f, const struct say *s);
const char *json_act(struct view *v, const uint8_t *f);
const char *json_fact(struct view *v, const uint8_t *f);
const char *json_gone(struct view *v, const uint8_t *f);
const char *json_who(struct view *v, const uint8_t *f);
const char *json_room(struct view *v, const uint8_t *f);

#endif

/* view_json.c -- frames as objects, one a line. */
#include "view_inside.h"

#include "acts.h"
#include "id.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static json_t *string(struct text t)
{
    return json_stringn(t.p, t.len);
}

static void add_stamp(json_t *o, const char *name, uint64_t hlc)
{
    char text[40];
    time_t s = (time_t)((hlc >> 16) / 1000);
    struct tm tm;
    size_t n = gmtime_r(&s, &tm) ? strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)((hlc >> 16) % 1000));
    json_object_set_new(o, name, json_string(text));
}

static void add_time(json_t *o, uint64_t hlc)
{
    add_stamp(o, "time", hlc);
}

static const char *dump(struct view *v, json_t *o)
{
    free(v->json);
    char *text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(o);
    if (!text || asprintf(&v->json, "%s\n", text) < 0)
        v->json = NULL;
    free(text);
    return v->json ? v->json : "";
}

static json_t *object(const char *type)
{
    json_t *o = json_object();
    json_object_set_new(o, "v", json_integer(1));
    json_object_set_new(o, "type", json_string(type));
    return o;
}

/* add_entry -- what every entry has: its name, where, who, when. */
static void add_entry(struct view *v, json_t *o, const uint8_t *f, struct text user)
{
    char id[ID_TEXT_MAX + 1];
    id_to_text(f, id);
    json_object_set_new(o, "id", json_string(id));
    json_object_set_new(o, "room", string(port_room_name(v->port, frame_room(f))));
    json_object_set_new(o, "user", string(user));
    json_object_set_new(o, "host", string(port_host(v->port, frame_origin(f))));
    add_time(o, frame_hlc(f));
}

const char *json_message(struct view *v, const uint8_t *f, const struct say *s)
{
    json_t *o = object("message");
    add_entry(v, o, f, s->user);
    json_object_set_new(o, "text", string(s->text));
    if (frame_flags(f) & FRAME_ACTION)
        json_object_set_new(o, "action", json_true());
    json_object_set_new(o, "cursor", json_integer((json_int_t)(frame_pos(f) + frame_stride(f))));
    return dump(v, o);
}

/* act_json -- of an entry, or of a row of the state of a room, which has no place in the journal. */
static const char *act_object(struct view *v, const char *type, const uint8_t *f, const struct room_act *a, struct text why)
{
    char number[HOST_NUMBER_SIZE];
    json_t *o = object(type);
    add_entry(v, o, f, a->user);
    json_object_set_new(o, "act", json_string(act_words[a->act].name));
    if (act_aims(a->act)) {
        json_object_set_new(o, "target_user", string(a->target));
        json_object_set_new(o, "target_host", string(view_host(v, a->host, number)));
    }
    if (a->act == ACT_TOPIC)
        json_object_set_new(o, "topic", string(a->topic));
    if (act_of_mode(a->act))
        json_object_set_new(o, "mode", json_string(mode_words[a->mode]));
    if (why.len > 0)
        json_object_set_new(o, "why_not", string(why));
    if (frame_type(f) == FRAME_STATE)
        json_object_set_new(o, "cursor", json_integer((json_int_t)(frame_pos(f) + frame_stride(f))));
    return dump(v, o);
}

const char *json_act(struct view *v, const uint8_t *f)
{
    struct room_act a;
    return read_room_act(f, &a) < 0 ? "" : act_object(v, "state", f, &a, text_of(""));
}

const char *json_fact(struct view *v, const uint8_t *f)
{
    struct fact_row r;
    if (read_fact_row(f, &r) < 0 || (r.why.len == 0 && !act_words[r.act.act].fact))
        return "";
    return act_object(v, r.why.len > 0 ? "no-effect" : "fact", f, &r.act, r.why);
}

const char *json_gone(struct view *v, const uint8_t *f)
{
    struct gone g;
    if (read_gone(f, &g) < 0)
        return "";
    json_t *o = object("gone");
    json_object_set_new(o, "room", string(port_room_name(v->port, frame_room(f))));
    if (frame_origin(f))
        json_object_set_new(o, "host", string(port_host(v->port, frame_origin(f))));
    json_object_set_new(o, "messages", json_integer((json_int_t)g.messages));
    json_object_set_new(o, "why", json_string(g.why == GAP_AWAY ? "away" : "old"));
    add_stamp(o, "from", g.hlc_min);
    add_time(o, frame_hlc(f));
    return dump(v, o);
}

const char *json_who(struct view *v, const uint8_t *f)
{
    struct who_row w;
    if (read_who_row(f, &w) < 0)
        return "";
    json_t *o = object("who");
    json_object_set_new(o, "user", string(w.user));
    json_object_set_new(o, "host", string(w.host));
    json_object_set_new(o, "sessions", json_integer(w.sessions));
    return dump(v, o);
}

const char *json_room(struct view *v, const uint8_t *f)
{
    struct room_row r;
    char called[CALLED_MAX + 1];
    if (read_room_row(f, &r) < 0)
        return "";
    port_call(v->port, r.name, called);
    json_t *o = object("room");
    json_object_set_new(o, "room", json_string(called));
    if (!direct_is(r.name))
        json_object_set_new(o, "members", json_integer(r.members));
    json_object_set_new(o, "messages", json_integer((json_int_t)r.messages));
    if (r.topic.len > 0)
        json_object_set_new(o, "topic", string(r.topic));
    if (frame_hlc(f))
        add_time(o, frame_hlc(f));
    return dump(v, o);
}

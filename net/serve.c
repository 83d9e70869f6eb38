/* serve.c - green_serve: accept, and spawn a thread for each connection.
 *
 * A post is what one hub has of a server: its listener and the threads of its connections, in a
 * group. The caller's hub has one; with several hubs, so has each of the others, in an acceptor
 * thread over there. Nothing of a server outlives the call. */
#include "error.h"
#include "io.h"
#include "listener.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <green/group.h>
#include <green/hub.h>
#include <green/serve.h>
#include <stdlib.h>

struct post {
    const green_serve_options *options;
    green_handler *handler;
    void *arg;
    green_listener *listener;
    green_group group;      /* the threads of the connections */
    struct list visits;     /* the connections */
    struct wait_queue room; /* the acceptor, while there are max_connections */
    green_thread *acceptor; /* NULL: the caller of green_serve itself */
};

/* One connection; allocated once, handed to its handler. */
struct visit {
    struct green_conn conn;
    struct post *post;
    struct list link;
};

static void visit_end(struct visit *v)
{
    if (v->conn.fd >= 0)
        green_io_close(v->conn.fd);
    list_remove(&v->link);
    memory_put(v);
}

static int visit_run(void *arg)
{
    struct visit *v = arg;
    struct post *post = v->post;
    post->handler(&v->conn, post->arg);
    visit_end(v);
    wake_first(&post->room, 0);
    return 0;
}

static int visit_begin(struct post *post, int fd)
{
    struct visit *v = memory_get(sizeof *v);
    if (v == NULL) {
        green_io_close(fd);
        return -ENOMEM;
    }
    *v = (struct visit){{&conn_embedded, fd}, post, {NULL, NULL}};
    list_append(&post->visits, &v->link);
    if (green_group_spawn(&post->group, visit_run, v) == 0)
        return 0;
    visit_end(v);
    return -errno;
}

static int await_room(struct green_hub *hub, struct post *post)
{
    int most = post->options->max_connections;
    int err = 0;
    while (err == 0 && most > 0 && post->group.live >= most)
        err = park(hub, &post->room, WAIT_BACK, INT64_MAX, "room for a connection", most);
    return err;
}

/* Until something ends it: a negative errno. A connection for which there is no memory is dropped:
 * its client sees that, the others go on. */
static int accept_all(struct post *post)
{
    struct green_hub *hub = hub_here();
    for (;;) {
        int fd = await_room(hub, post);
        if (fd == 0)
            fd = listener_accept(post->listener);
        if (fd < 0)
            return fd;
        if (visit_begin(post, fd) == -ENOMEM) {
            int err = green_sleep(10 * GREEN_MS) < 0 ? -errno : 0;
            if (err < 0)
                return err;
        }
    }
}

/* Nobody gets in any more, and who is in leaves. */
static void post_close(struct post *post)
{
    green_listener_close(post->listener);
    post->listener = NULL;
    green_group_cancel(&post->group);
    green_shield()
        green_group_join(&post->group);
    while (!list_empty(&post->visits)) /* threads that were cancelled before they ran */
        visit_end(CONTAINER(post->visits.next, struct visit, link));
}

static int post_run(void *arg)
{
    int err = accept_all(arg);
    post_close(arg);
    return err;
}

/* ---- posts on several hubs ---- */

static int posts_wanted(const green_serve_options *options, bool local)
{
    if (local || options->hubs == 1)
        return 1;
    int n = options->hubs > 0 ? options->hubs : hubs_wished();
    if (n > 1) {
        hubs_hold();
        if (green_hubs(n) < 0) {
            hubs_release();
            n = -1;
        }
    }
    return n;
}

/* Give every post but the first a listener and an acceptor on a hub of its own; -1 and errno. Not
 * by turns: others take theirs at the same time. */
static int posts_start(struct post *posts, int count)
{
    green_listen_options listen = {.backlog = posts->options->backlog};
    green_hub *home = green_hub_self();
    unsigned next = 0;
    for (int i = 1; i < count; i++) {
        green_spawn_options spawn = {.name = "acceptor", .hub = green_hub_nth(next++)};
        if (spawn.hub == home)
            spawn.hub = green_hub_nth(next++);
        posts[i] = posts[0];
        list_init(&posts[i].visits);
        posts[i].listener = listener_twin(posts->listener, &listen);
        if (posts[i].listener == NULL)
            return -1;
        posts[i].acceptor = green_spawn_with(&spawn, post_run, &posts[i]);
        if (posts[i].acceptor == NULL)
            return -1;
    }
    return 0;
}

/* All at once: what their handlers do last they do side by side, and nobody gets in meanwhile. */
static void posts_cancel(struct post *posts, int count)
{
    green_shield()
        for (int i = 1; i < count; i++)
            green_cancel(posts[i].acceptor);
}

static void posts_end(struct post *posts, int count)
{
    green_shield()
        for (int i = 0; i < count; i++) {
            if (posts[i].acceptor != NULL)
                green_kill(posts[i].acceptor, NULL);
            green_listener_close(posts[i].listener); /* of a post that was not run */
        }
}

static void announce(struct post *post)
{
    char text[ADDRESS_TEXT];
    if (post->options->on_listen != NULL &&
        green_listener_address(post->listener, text, sizeof text) == 0)
        post->options->on_listen(text, post->arg);
}

GREEN_API int green_serve_with(const green_serve_options *options, const char *network,
                               const char *address, green_handler *handler, void *arg)
{
    green_listen_options listen = {.backlog = options->backlog};
    if (handler == NULL)
        return fail(EINVAL, "green_serve: no handler");
    green_listener *listener = green_listen_with(&listen, network, address);
    if (listener == NULL)
        return -1;
    int count = posts_wanted(options, listener->local);
    if (count < 0) {
        int err = errno; /* closing keeps the sentence */
        green_listener_close(listener);
        errno = err;
        return -1;
    }
    struct post *posts = memory_get((size_t)count * sizeof *posts);
    if (posts == NULL) {
        if (count > 1)
            hubs_release();
        green_listener_close(listener);
        return fail(ENOMEM, "cannot serve %s: no memory", address);
    }
    posts[0] = (struct post){options, handler, arg, listener, GREEN_GROUP_INIT, {0}, {0}, NULL};
    list_init(&posts[0].visits);
    if (posts_start(posts, count) == 0) {
        announce(posts);
        int end = accept_all(posts);
        posts_cancel(posts, count);
        post_close(posts);
        returned(end);
    }
    int err = errno;
    posts_end(posts, count);
    if (count > 1)
        hubs_release();
    memory_put(posts);
    errno = err;
    return -1;
}

GREEN_API int green_serve(const char *network, const char *address, green_handler *handler,
                          void *arg)
{
    static const green_serve_options standard;
    return green_serve_with(&standard, network, address, handler, arg);
}

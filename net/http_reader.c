/* http_reader.c - see http_reader.h. */
#include "http_reader.h"
#include "error.h"
#include "memory.h"
#include <errno.h>
#include <llhttp.h>
#include <string.h>

/* Bytes that grow; data[size] is always zero. */
struct bytes {
    char *data;
    size_t size;
    size_t room;
};

struct reader {
    llhttp_t parser;
    struct bytes headers;
    struct bytes body;
    bool done;      /* the final response is complete */
    bool no_memory; /* why a callback refused */
};

static int append(struct reader *r, struct bytes *b, const char *data, size_t n)
{
    if (b->room - b->size <= n) {
        size_t room = b->room * 2 > b->size + n + 1 ? b->room * 2 : b->size + n + 512;
        char *more = memory_resize(b->data, room);
        if (more == NULL) {
            r->no_memory = true;
            return HPE_USER;
        }
        b->data = more;
        b->room = room;
    }
    memcpy(b->data + b->size, data, n);
    b->size += n;
    b->data[b->size] = '\0';
    return 0;
}

/* ---- llhttp's callbacks ---- */

static int on_header(llhttp_t *parser, const char *data, size_t n)
{
    struct reader *r = parser->data;
    return append(r, &r->headers, data, n);
}

static int on_header_complete(llhttp_t *parser)
{
    return on_header(parser, "", 1);
}

static int on_body(llhttp_t *parser, const char *data, size_t n)
{
    struct reader *r = parser->data;
    return append(r, &r->body, data, n);
}

static int on_message_complete(llhttp_t *parser)
{
    struct reader *r = parser->data;
    if (parser->status_code / 100 == 1 && parser->status_code != 101) {
        r->headers.size = r->body.size = 0;
        return 0;
    }
    r->done = true;
    return HPE_PAUSED; /* what follows is not ours */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header,
    .on_header_field_complete = on_header_complete,
    .on_header_value = on_header,
    .on_header_value_complete = on_header_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- reading ---- */

static int refuse(struct reader *r, const char *host)
{
    const char *reason = llhttp_get_error_reason(&r->parser);
    if (r->no_memory)
        return fail(ENOMEM, "no memory for the answer of %s", host);
    return fail(EPROTO, "the answer of %s is not HTTP: %s", host,
                reason != NULL ? reason : "malformed");
}

static int at_end(struct reader *r, const char *host, bool begun)
{
    llhttp_finish(&r->parser);
    if (r->done)
        return 0;
    if (r->no_memory)
        return refuse(r, host);
    return fail(ECONNABORTED, "%s closed the connection %s", host,
                begun ? "in the middle of its answer" : "without an answer");
}

/* What counts is what is received, so that no framing without an end escapes the limit. */
static int read_all(struct reader *r, green_conn *conn, const char *host, size_t limit)
{
    char buf[8192];
    bool begun = false;
    while (!r->done) {
        ssize_t n = green_conn_read(conn, buf, sizeof buf);
        if (n < 0 && errno == ETIMEDOUT)
            return fail(ETIMEDOUT, "timed out waiting for the answer of %s", host);
        if (n < 0)
            return -1;
        if (n == 0)
            return at_end(r, host, begun);
        if ((size_t)n > limit)
            return fail(EFBIG, "the answer of %s is larger than allowed", host);
        limit -= (size_t)n;
        begun = true;
        if (llhttp_execute(&r->parser, buf, (size_t)n) != HPE_OK && !r->done)
            return refuse(r, host);
    }
    return 0;
}

int http_read(green_conn *conn, const char *host, size_t limit, green_http_response *response)
{
    struct reader r = {.done = false};
    llhttp_init(&r.parser, HTTP_RESPONSE, &settings);
    r.parser.data = &r;
    int result = read_all(&r, conn, host, limit);
    if (result == 0) { /* so that both are there, and ended by a zero */
        append(&r, &r.headers, "", 0);
        append(&r, &r.body, "", 0);
        result = r.no_memory ? refuse(&r, host) : 0;
    }
    response->status = r.parser.status_code;
    response->headers = r.headers.data;
    response->headers_size = r.headers.size;
    response->body = r.body.data;
    response->length = r.body.size;
    return result;
}

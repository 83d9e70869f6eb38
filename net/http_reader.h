/* http_reader.h - from the bytes of a connection to a green_http_response: llhttp inside. */
#pragma once
#include <green/http.h>

/* Read one final response (interim ones are passed over), at most `limit` bytes of it, into
 * *response, which is zeroed memory. 0; or -1, errno and a sentence that names `host`. */
int http_read(green_conn *conn, const char *host, size_t limit, green_http_response *response);

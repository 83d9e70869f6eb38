/* green.h - libgreen: code that looks blocking, on green threads. This includes all of it; each
 * header is the manual of its noun. Start with green/thread.h and green/conn.h. */
#pragma once
#include <green/base.h>
#include <green/conn.h>
#include <green/deadline.h>
#include <green/dns.h>
#include <green/fd.h>
#include <green/group.h>
#include <green/http.h>
#include <green/hub.h>
#include <green/offload.h>
#include <green/serve.h>
#include <green/thread.h>

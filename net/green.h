/* green.h - libgreen: code that looks blocking, on green threads. This includes all of it; each
 * header is the manual of its noun. Start with green/thread.h and green/conn.h. */
#pragma once
#include <green/barrier.h>
#include <green/base.h>
#include <green/channel.h>
#include <green/condition.h>
#include <green/conn.h>
#include <green/coroutine.h>
#include <green/deadline.h>
#include <green/dns.h>
#include <green/event.h>
#include <green/fd.h>
#include <green/generator.h>
#include <green/group.h>
#include <green/http.h>
#include <green/hub.h>
#include <green/mutex.h>
#include <green/offload.h>
#include <green/once.h>
#include <green/pool.h>
#include <green/result.h>
#include <green/rwlock.h>
#include <green/semaphore.h>
#include <green/serve.h>
#include <green/thread.h>
#include <green/wait_group.h>

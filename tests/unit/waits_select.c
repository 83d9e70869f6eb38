/* waits_select.c - the cases of green_select, each beside one that never happens: see waits.h. */
#include "waits.h"

#include <green/fd.h>
#include <green/process.h>
#include <green/select.h>
#include <green/state.h>
#include <sys/wait.h>

static green_chan silent = GREEN_CHAN_INIT(sizeof(int), 0, NULL);
static int nothing_to_get;

static int selected(green_case c)
{
    green_case cases[2] = {GREEN_RECV(&silent, &nothing_to_get), c};
    return green_select_cases(cases, 2) == 1 ? 0 : -1;
}

static void nothing(void)
{
}

/* ---- channels and queues ---- */

static green_chan chan;
static green_queue *queue;
static int room, value;
static void *item;

static void begin_chan(void)
{
    chan = (green_chan)GREEN_CHAN_INIT(sizeof(int), 1, &room);
}

static void send_value(void)
{
    assert_int_equal(green_chan_try_send(&chan, &value), 0);
}

static void receive_value(void)
{
    assert_int_equal(green_chan_try_recv(&chan, &value), 1);
}

static void begin_full_chan(void)
{
    begin_chan();
    send_value();
}

static int select_send(void)
{
    return selected(GREEN_SEND(&chan, &value));
}

static int select_receive(void)
{
    return selected(GREEN_RECV(&chan, &value));
}

static void begin_queue(void)
{
    queue = green_queue_make(&(green_queue_options){.limit = 1});
    assert_non_null(queue);
}

static void put_item(void)
{
    assert_int_equal(green_queue_try_put(queue, &room), 0);
}

static void get_item(void)
{
    assert_int_equal(green_queue_try_get(queue, &item), 1);
}

static void begin_full_queue(void)
{
    begin_queue();
    put_item();
}

static int select_put(void)
{
    return selected(GREEN_PUT(queue, &room));
}

static int select_get(void)
{
    return selected(GREEN_GET(queue, &item));
}

static void end_queue(void)
{
    green_queue_shutdown(queue, true);
    green_queue_free(queue);
}

/* ---- what threads share, and their ends ---- */

static green_semaphore semaphore;
static green_event event;
static green_result result;
static green_thread *target;

static void begin_shared(void)
{
    semaphore = (green_semaphore)GREEN_SEMAPHORE_INIT(0);
    event = (green_event)GREEN_EVENT_INIT;
    result = (green_result)GREEN_RESULT_INIT;
}

static int select_permit(void)
{
    return selected(GREEN_ACQUIRE(&semaphore));
}

static void release(void)
{
    assert_int_equal(green_semaphore_release(&semaphore), 0);
}

static int wait_for_two(void)
{
    green_case cases[] = {GREEN_ACQUIRE(&semaphore), GREEN_RECV(&silent, &nothing_to_get),
                          GREEN_ACQUIRE(&semaphore)};
    return green_wait_cases(cases, 3, 2, NULL) == 2 ? 0 : -1;
}

static void release_two(void)
{
    release();
    release();
}

static int select_event(void)
{
    return selected(GREEN_SET(&event));
}

static void set_event(void)
{
    green_event_set(&event);
}

static int select_result(void)
{
    return selected(GREEN_READY(&result));
}

static void set_result(void)
{
    assert_int_equal(green_result_set(&result, NULL), 0);
}

static int wait_event(void *arg)
{
    (void)arg;
    return green_event_wait(&event);
}

static void begin_target(void)
{
    begin_shared();
    target = green_spawn(wait_event, NULL);
    assert_non_null(target);
}

static int select_end(void)
{
    return selected(GREEN_ENDED(target));
}

static bool target_done(void)
{
    return green_thread_state(target) == GREEN_DONE;
}

static void end_target(void)
{
    set_event();
    assert_int_equal(green_join(target, NULL), 0);
}

/* ---- descriptors and processes ---- */

static int select_readable(void)
{
    return selected(GREEN_READABLE(fd[1]));
}

static int select_writable(void)
{
    return selected(GREEN_WRITABLE(fd[0]));
}

#ifndef GREEN_TEST_EMULATED
static green_process *process;

static void begin_process(void)
{
    process = green_process_spawn(NULL, (char *const[]){"sleep", "3600", NULL});
    assert_non_null(process);
}

static int select_exit(void)
{
    return selected(GREEN_EXITED(process));
}

static void kill_process(void)
{
    siginfo_t end;
    assert_int_equal(green_process_signal(process, SIGKILL), 0);
    id_t pid = (id_t)green_process_pid(process);
    assert_int_equal(waitid(P_PID, pid, &end, WEXITED | WNOWAIT), 0);
}

static void end_process(void)
{
    green_process_destroy(process);
}
#endif

const struct call waits_select[] = {
    {"select receive", begin_chan, select_receive, send_value, NULL, nothing, 0},
    {"select send", begin_full_chan, select_send, receive_value, NULL, nothing, 0},
    {"select get", begin_queue, select_get, put_item, NULL, end_queue, 0},
    {"select put", begin_full_queue, select_put, get_item, NULL, end_queue, 0},
    {"select permit", begin_shared, select_permit, release, NULL, nothing, 0},
    {"wait for two", begin_shared, wait_for_two, release_two, NULL, nothing, ALONE},
    {"select event", begin_shared, select_event, set_event, NULL, nothing, 0},
    {"select result", begin_shared, select_result, set_result, NULL, nothing, 0},
    {"select end", begin_target, select_end, set_event, target_done, end_target, LATE},
    {"select readable", begin_pair, select_readable, give_byte, NULL, end_pair, 0},
    {"select writable", begin_full_pair, select_writable, drain, NULL, end_pair, 0},
#ifndef GREEN_TEST_EMULATED
    {"select exit", begin_process, select_exit, kill_process, NULL, end_process, PROCESS},
#endif
    {NULL, NULL, NULL, NULL, NULL, NULL, 0},
};

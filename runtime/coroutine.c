/* coroutine.c - coroutines: see green/coroutine.h.
 *
 * Invariants:
 *  - a coroutine's control block stands at the top of its own stack;
 *  - where its resumer goes on stands in the frame of the call that resumed it (struct resumer): a
 *    running coroutine points there, a transfer hands that pointer on, and there is no "current
 *    coroutine". Who claims to be one is believed if it stands on that coroutine's stack. So green
 *    threads need to know nothing of coroutines: one that parks inside of one is saved where it
 *    stands, and goes on there;
 *  - a coroutine in suspension is either fresh or inside suspend(). */
#include "sanitize.h"
#include "switch.h"
#include "switch_return.h"

#include "compiler.h"
#include "error.h"
#include "fork.h"
#include "overflow.h"
#include "self.h"
#include "stack.h"
#include <errno.h>
#include <green/coroutine.h>
#include <pthread.h>

/* The call that waits for a coroutine to yield or end. */
struct resumer {
    struct context context;
    void *value;               /* what was yielded to it */
    int outcome;               /* 1 yielded; else what the ended function returned: 0 or -1 */
    int error;                 /* and its errno */
    unsigned shields;          /* those open in the green thread, */
    struct green_scope *scope; /* and its innermost deadline scope */
    struct san_fiber fiber;
};

struct green_coroutine {
    struct context context; /* where it goes on, while suspended */
    struct resumer *resumer;
    void *input;      /* what the last resume or transfer handed in */
    const void *home; /* the OS thread that first resumed it, by the address of its `os_thread` */
    uint8_t state;    /* enum green_coroutine_state */
    bool fresh;       /* has not run yet */
    bool closing;     /* each yield fails */
    int thrown;       /* errno for the pending yield, 0: none */
    int result;       /* of its function */
    char *base;       /* of its stack: up from here and below the block, its function runs */
    int (*fn)(green_coroutine *self, void *arg);
    void *arg;
    void (*release)(void *arg);
    struct stack *stack;
    struct stack_pool *pool;
    struct san_fiber fiber;
};

/* What coroutines need of their OS thread, which its address stands for. */
static _Thread_local struct {
    struct green_coroutine *starting; /* on its way to its entry */
    struct exceptions *exceptions_at; /* its C++ exceptions; NULL: no C++ here */
} os_thread __attribute__((tls_model("initial-exec")));

/* ---- stacks: pools of all OS threads together ---- */

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stack_pool pools[STACK_CLASSES]; /* 16 KiB, 32 KiB ...; made at first use */

static struct stack *pooled_get(struct stack_pool *pool, size_t size)
{
    pthread_mutex_lock(&pools_lock);
    if (pool->size == 0)
        stack_pool_init(pool, size);
    struct stack *stack = stack_get(pool);
    pthread_mutex_unlock(&pools_lock);
    return stack;
}

static void pooled_put(struct stack_pool *pool, struct stack *stack)
{
    pthread_mutex_lock(&pools_lock);
    stack_put(pool, stack);
    pthread_mutex_unlock(&pools_lock);
}

/* For a handler of faults: without the lock. Pools only grow. */
size_t coroutine_guarded(const void *address)
{
    for (int i = 0; i < STACK_CLASSES; i++)
        if (stack_is_guard(&pools[i], address))
            return pools[i].size;
    return 0;
}

void coroutines_fork_begin(void)
{
    pthread_mutex_lock(&pools_lock);
}

void coroutines_fork_end(void)
{
    pthread_mutex_unlock(&pools_lock);
}

/* ---- switching ---- */

/* A green thread that parks from now on leaves this stack, not that of its own: ASan wants to
 * know. Nothing in ordinary builds. */
static inline void stand_on(const struct san_fiber *fiber)
{
    struct green_hub *hub = self_hub();
    if (hub != NULL)
        san_move(&hub->current->fiber, fiber);
}

static inline void scopes_note(struct resumer *r)
{
    struct green_hub *hub = self_hub();
    r->scope = hub != NULL ? hub->current->scope : NULL;
    r->shields = hub != NULL ? hub->current->shields : 0;
}

/* Are the thread's scopes those at the resume? They must not be left open behind a yield. */
static inline bool scopes_left(const struct resumer *r)
{
    struct green_hub *hub = self_hub();
    return hub == NULL || (hub->current->scope == r->scope && hub->current->shields == r->shields);
}

static __attribute__((noinline)) void entry(void)
{
    struct green_coroutine *co = os_thread.starting;
    san_arrive_from(&co->fiber, &co->resumer->fiber);
    stand_on(&co->fiber);
    co->result = co->fn(co, co->arg);
    co->state = GREEN_COROUTINE_ENDED;
    struct resumer *r = co->resumer;
    r->outcome = co->result < 0 ? -1 : 0;
    r->error = errno;
    r->value = NULL;
    san_leave(&co->fiber, &r->fiber, true);
    context_switch(&co->context, &r->context);
    __builtin_unreachable();
}

/* What makes `co` run that is suspended: before the switch to it. */
static inline void set_off(struct green_coroutine *co, struct resumer *r, void *in)
{
    co->resumer = r;
    co->input = in;
    co->state = GREEN_COROUTINE_RUNNING;
    if (UNLIKELY(co->fresh)) {
        co->fresh = false;
        co->home = &os_thread;
        os_thread.starting = co;
        os_thread.exceptions_at = self_exceptions();
    }
}

/* Each flow keeps its C++ exceptions in its own frame while another runs; a fresh one finds none.
 * Around each switch. */
static inline __attribute__((always_inline)) struct exceptions exceptions_leave(void)
{
    struct exceptions kept;
    if (UNLIKELY(os_thread.exceptions_at != NULL)) {
        kept = *os_thread.exceptions_at;
        *os_thread.exceptions_at = (struct exceptions){NULL, 0};
    }
    return kept;
}

static inline __attribute__((always_inline)) void exceptions_arrive(struct exceptions kept)
{
    if (UNLIKELY(os_thread.exceptions_at != NULL))
        *os_thread.exceptions_at = kept;
}

/* Run it until somebody comes back: 1, 0 or -1 as green_coroutine_resume. */
static inline int run(struct green_coroutine *co, void *in, void **out)
{
    struct resumer r;
    scopes_note(&r);
    san_own(&r.fiber, NULL, 0); /* the other side finds out */
    set_off(co, &r, in);
    struct exceptions kept = exceptions_leave();
    san_leave(&r.fiber, &co->fiber, false);
    context_switch(&r.context, &co->context);
    san_arrive(&r.fiber);
    exceptions_arrive(kept);
    stand_on(&r.fiber);
    if (out != NULL)
        *out = r.value;
    if (UNLIKELY(r.outcome < 0))
        errno = r.error; /* as from a function that failed: what was said of it stands */
    return r.outcome;
}

/* Leave for wherever `to` is, until somebody resumes: 0, or -1 with what was thrown in. */
static inline int suspend(struct green_coroutine *self, struct context *to,
                          const struct san_fiber *fiber)
{
    struct exceptions kept = exceptions_leave();
    san_leave(&self->fiber, fiber, false);
    context_switch(&self->context, to);
    san_arrive_from(&self->fiber, &self->resumer->fiber);
    exceptions_arrive(kept);
    stand_on(&self->fiber);
    int err = self->thrown;
    if (LIKELY(err == 0))
        return 0;
    self->thrown = 0;
    return (int)failed(-err);
}

/* ---- who may ---- */

static int refuse_run(const struct green_coroutine *co)
{
    if (co == NULL)
        return fail(EINVAL, "no coroutine");
    if (co->state == GREEN_COROUTINE_RUNNING)
        return fail(EBUSY, "the coroutine runs already");
    if (co->state == GREEN_COROUTINE_ENDED)
        return fail(EINVAL, "the coroutine has ended");
    return fail(EINVAL, "the coroutine belongs to another OS thread");
}

static inline bool can_run(const struct green_coroutine *co)
{
    return LIKELY(co != NULL && co->state == GREEN_COROUTINE_SUSPENDED &&
                  (co->home == &os_thread || co->fresh));
}

static int refuse_yield(const struct green_coroutine *self, bool inside)
{
    if (!inside)
        return fail(EINVAL, "a coroutine can be left by itself only");
    if (self->closing)
        return (int)failed(-ECANCELED);
    return fail(EINVAL, "a green_within or green_shield block is open in the coroutine");
}

/* ---- making ---- */

GREEN_API green_coroutine *green_coroutine_create_with(const green_coroutine_options *options,
                                                       int (*fn)(green_coroutine *self, void *arg),
                                                       void *arg)
{
    size_t size = options->stack_size != 0 ? stack_round(options->stack_size) : stack_standard();
    if (fn == NULL || size == 0) {
        fail(EINVAL, "green_coroutine: %s", fn == NULL ? "no function" : "stack size over 1 GiB");
        return NULL;
    }
    struct stack_pool *pool = &pools[__builtin_ctzl(size / stack_round(1))];
    struct stack *stack = pooled_get(pool, size);
    if (stack == NULL) {
        fail(ENOMEM, "no memory or address space for another coroutine");
        return NULL;
    }
    uintptr_t at = ((uintptr_t)stack->top - sizeof(struct green_coroutine)) & ~(uintptr_t)63;
    struct green_coroutine *co = (struct green_coroutine *)at;
    *co = (struct green_coroutine){
        .fresh = true,
        .base = stack->base,
        .fn = fn,
        .arg = arg,
        .release = options->release,
        .stack = stack,
        .pool = pool,
    };
    if (context_start(&co->context, stack->base, co, entry) < 0) {
        pooled_put(pool, stack);
        return NULL;
    }
    san_stack(&co->fiber, stack->base, (size_t)((char *)co - stack->base));
    return co;
}

GREEN_API green_coroutine *green_coroutine_create(int (*fn)(green_coroutine *self, void *arg),
                                                  void *arg)
{
    static const green_coroutine_options standard;
    return green_coroutine_create_with(&standard, fn, arg);
}

/* ---- from outside ---- */

GREEN_API SWITCH_RETURN int green_coroutine_resume(green_coroutine *co, void *in, void **out)
{
    return can_run(co) ? run(co, in, out) : refuse_run(co);
}

/* End one that never ran. */
static void end_fresh(struct green_coroutine *co)
{
    co->state = GREEN_COROUTINE_ENDED;
    co->fresh = false;
    co->result = -1;
    san_end(&co->fiber);
}

GREEN_API int green_coroutine_throw(green_coroutine *co, int err, void **out)
{
    if (!can_run(co))
        return refuse_run(co);
    if (err <= 0)
        return fail(EINVAL, "cannot throw %d: not an errno", err);
    if (co->fresh) {
        if (out != NULL)
            *out = NULL;
        end_fresh(co);
        return (int)failed(-err);
    }
    co->thrown = err;
    return run(co, NULL, out);
}

GREEN_API int green_coroutine_close(green_coroutine *co)
{
    if (co != NULL && co->state == GREEN_COROUTINE_ENDED)
        return 0;
    if (!can_run(co))
        return refuse_run(co);
    if (co->fresh) {
        end_fresh(co);
        return 0;
    }
    int kept = errno;
    co->closing = true;
    co->thrown = ECANCELED;
    if (run(co, NULL, NULL) < 0 && errno != ECANCELED)
        return -1;
    errno = kept;
    return 0;
}

GREEN_API int green_coroutine_destroy(green_coroutine *co)
{
    if (co == NULL)
        return 0;
    green_coroutine_close(co);
    if (co->state != GREEN_COROUTINE_ENDED)
        return -1; /* close has said why */
    void (*release)(void *arg) = co->release;
    void *arg = co->arg;
    pooled_put(co->pool, co->stack);
    if (release != NULL)
        release(arg);
    return 0;
}

GREEN_API green_coroutine_state green_coroutine_status(const green_coroutine *co)
{
    return (green_coroutine_state)co->state;
}

GREEN_API int green_coroutine_result(const green_coroutine *co)
{
    return co->result;
}

/* ---- from inside ---- */

/* Does the caller stand on the stack of `self`, that is: is it? */
static inline __attribute__((always_inline)) bool inside(const struct green_coroutine *self)
{
    const char *here = __builtin_frame_address(0);
    return here > self->base && here < (const char *)self;
}

GREEN_API SWITCH_RETURN int green_coroutine_yield(green_coroutine *self, void *out)
{
    bool in = inside(self);
    if (UNLIKELY(!in || self->closing || !scopes_left(self->resumer)))
        return refuse_yield(self, in);
    struct resumer *r = self->resumer;
    self->state = GREEN_COROUTINE_SUSPENDED;
    r->value = out;
    r->outcome = 1;
    return suspend(self, &r->context, &r->fiber);
}

GREEN_API SWITCH_RETURN int green_coroutine_transfer(green_coroutine *self, green_coroutine *to,
                                                     void *in)
{
    bool is_self = inside(self);
    if (UNLIKELY(!is_self || self->closing || !scopes_left(self->resumer)))
        return refuse_yield(self, is_self);
    if (UNLIKELY(!can_run(to)))
        return refuse_run(to);
    self->state = GREEN_COROUTINE_SUSPENDED;
    set_off(to, self->resumer, in);
    return suspend(self, &to->context, &to->fiber);
}

GREEN_API void *green_coroutine_input(const green_coroutine *self)
{
    return self->input;
}

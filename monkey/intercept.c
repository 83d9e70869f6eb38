/* intercept.c - see intercept.h: finding and rewriting sites, at start and when one traps.
 *
 * `lock` guards the table of sites, the arenas and every rewriting. It is only taken with all
 * signals blocked, so its holder is never interrupted. */
#include "intercept.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../runtime/sys.h"
#include "bytes.h"
#include "stub.h"
#include "sud.h"
#include "text.h"
#include "trampoline.h"
#include "trap.h"

#define AT(field, off) _Static_assert(offsetof(struct call, field) == (off), #field)
AT(nr, CALL_NR);
AT(arg, CALL_RDI);
AT(arg[5], CALL_R9);
AT(saved, CALL_RBX);
AT(saved[5], CALL_R15);
AT(site, CALL_SITE);
AT(back, CALL_BACK);
AT(native, CALL_NATIVE);
_Static_assert(sizeof(struct call) == CALL_SIZE, "size");

enum { BATCH = 1024 };

static int lock;
static bool armed; /* Syscall User Dispatch is in use */
static bool (*wanted)(long nr);
static const char *error = "";
static struct intercept_stats stats;

/* ---- The lock. ---- */

static uint64_t enter(void)
{
    uint64_t all = ~(uint64_t)0, old = 0;
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof old);
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        SYS0(SYS_sched_yield);
    return old;
}

static void leave(uint64_t old)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

/* ---- Rewriting. ---- */

static void write_jump(uint8_t *to, const struct plan *p, const uint8_t *code)
{
    int32_t d = (int32_t)(code - (p->window + SITE_JUMP));
    to[0] = 0xe9;
    text_copy(to + 1, (const uint8_t *)&d, 4);
    for (int i = SITE_JUMP; i < p->span; i++)
        to[i] = 0x90;
}

/* Makes the stubs of the plans still good; how many there are. */
static int make_stubs(struct plan *plans, int n, bool alone)
{
    int made = 0;
    const uint8_t *end = NULL;
    for (int i = 0; i < n; i++) {
        struct plan *p = &plans[i];
        if (p->window < end || (!p->bad && stub_make(p, n - i - 1, alone) < 0))
            p->bad = true;
        if (p->bad)
            continue;
        made++;
        end = p->site + p->tail;
    }
    if (stub_flush() == 0)
        return made;
    for (int i = 0; i < n; i++)
        plans[i].bad = true;
    return 0;
}

/* Carries out n plans, ascending by address, of one object. */
static void rewrite(const struct object *o, struct plan *plans, int n, bool alone)
{
    struct text t;
    site_check(o, plans, n);
    int made = make_stubs(plans, n, alone);
    const uint8_t *lo = n ? plans[0].window : NULL;
    const uint8_t *hi = n ? plans[n - 1].window + SITE_PREFIX : NULL;
    if (hi > o->hi)
        hi = o->hi;
    bool done = made > 0 && text_open(&t, lo, hi, alone) == 0;
    if (done) {
        for (int i = 0; i < n; i++)
            if (!plans[i].bad)
                write_jump(text_at(&t, plans[i].window), &plans[i], stub_find(plans[i].site)->code);
        done = text_close(&t) == 0;
    }
    for (int i = 0; i < n; i++)
        if (!done || plans[i].bad)
            stub_none(plans[i].site);
    stats.patched += (uint64_t)(done ? made : 0);
    stats.left += (uint64_t)(done ? n - made : n);
}

/* Whether the rewritten site of this record still stands: its object may have been unloaded, and
 * another be in its place. */
static bool stands(const struct stub *s)
{
    const uint8_t *w = s->window;
    int32_t d;
    text_copy((uint8_t *)&d, w + 1, sizeof d);
    return w[0] == 0xe9 && w + SITE_JUMP + d == s->code;
}

static bool plan(const struct object *o, const uint8_t *site, bool alone, struct plan *p)
{
    enum { SIGRETURN = 15 }; /* unwinders know its bytes */
    return site_plan(o, site, alone, p) && p->nr != SIGRETURN;
}

/* ---- Sites that trap. ---- */

static struct stub *trapped(const uint8_t *site)
{
    struct stub *s = stub_find(site);
    struct object o;
    struct plan p;
    if (s && (!s->code || stands(s)))
        return s;
    bool alone = text_alone();
    if (object_at((uintptr_t)site, &o) && plan(&o, site, alone, &p)) {
        rewrite(&o, &p, 1, alone);
    } else {
        stub_none(site);
        stats.left++;
    }
    return stub_find(site);
}

uintptr_t trap_site(uintptr_t site)
{
    uint64_t old = enter();
    stats.traps++;
    struct stub *s = trapped((const uint8_t *)site);
    uintptr_t back = s && s->code ? stub_back(s) : site;
    leave(old);
    return back;
}

/* ---- Whole objects. ---- */

static void scan_segment(const struct object *o, struct plan *plans, bool alone)
{
    int n = 0;
    const uint8_t *end = o->hi - 1;
    const struct pair call = {{0xff, 0xff}, {0x0f, 0x05}};
    for (const uint8_t *p = o->lo; (p = bytes_find(p, end, call)) < end; p++) {
        struct stub *s = stub_find(p + 2);
        if (s && (!s->code || stands(s)))
            continue;
        if (!plan(o, p + 2, alone, &plans[n])) {
            stats.left++;
            continue;
        }
        if (wanted && plans[n].nr >= 0 && !wanted(plans[n].nr))
            continue;
        if (++n == BATCH) {
            rewrite(o, plans, n, alone);
            n = 0;
        }
    }
    rewrite(o, plans, n, alone);
}

/* What a walk over the loaded objects is for. */
struct walk {
    struct plan *plans;
    bool all;
    bool alone;
};

/* libc is known by a function that nobody interposes, the loader by its base. */
static bool chosen(const struct walk *w, const struct object *o)
{
    const uint8_t *own = (const uint8_t *)(uintptr_t)trampoline_enter;
    const uint8_t *libc = (const uint8_t *)(uintptr_t)gnu_get_libc_version;
    if (own >= o->lo && own < o->hi)
        return false;
    const uint8_t *loader = (const uint8_t *)_r_debug.r_ldbase;
    bool is_loader = o->lo - loader >= 0 && o->lo - loader < 65536;
    return w->all || is_loader || (libc >= o->lo && libc < o->hi);
}

static int scan_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct walk *w = arg;
    struct object o;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *ph = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
            continue;
        object_segment(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum, at, &o);
        if (!chosen(w, &o))
            continue;
        uint64_t old = enter();
        scan_segment(&o, w->plans, w->alone);
        leave(old);
    }
    return 0;
}

static int scan(bool all)
{
    size_t size = BATCH * sizeof(struct plan);
    long m = SYS6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m < 0 && m > -4096)
        return (int)m;
    struct walk w = {.plans = (struct plan *)m, .all = all, .alone = text_alone()};
    dl_iterate_phdr(scan_object, &w);
    SYS2(SYS_munmap, m, size);
    return 0;
}

void intercept_scan(void)
{
    scan(true);
}

/* ---- Starting. ---- */

static int fail(int rc, const char *why)
{
    error = why;
    return rc;
}

int intercept_start(unsigned flags, bool (*wants)(long nr))
{
    int rc = text_allowed();
    if (rc < 0)
        return fail(rc, "the system refuses to execute rewritten code (SELinux execmod?)");
    wanted = wants;
    if (flags & INTERCEPT_SUD) {
        rc = sud_start();
        if (rc < 0)
            return fail(rc, "SIGSYS cannot be handled");
        rc = sud_arm();
        if (rc < 0) {
            sud_stop();
            return fail(rc, "no Syscall User Dispatch: Linux 5.11 or later is needed, "
                            "and a sandbox must allow it");
        }
        armed = true;
    }
    rc = scan(flags & INTERCEPT_ALL);
    if (rc < 0 && !armed)
        return fail(rc, "no memory for rewriting system calls");
    return 0; /* under dispatch, sites are rewritten when they trap */
}

int intercept_arm(void)
{
    return sud_arm();
}

int intercept_forked(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    return armed ? sud_arm() : 0;
}

const char *intercept_error(void)
{
    return error;
}

void intercept_stats(struct intercept_stats *out)
{
    *out = stats;
}

/* ---- Calls. ---- */

__attribute__((used)) long intercept_dispatch(struct call *c)
{
    long result = monkey_call(c);
    if (!c->native)
        return result;
    const void *native = stub_native_found(c->back);
    if (!native) {
        uint64_t old = enter();
        native = stub_native(c->back);
        leave(old);
    }
    if (!native)
        return -ENOMEM;
    c->back = (uintptr_t)native;
    return c->nr;
}

struct call_start call_on_stack(const struct call *c, void *stack_top)
{
    struct call *copy = (struct call *)((uintptr_t)stack_top - CALL_SP);
    text_copy((uint8_t *)copy, (const uint8_t *)c, sizeof *copy);
    return (struct call_start){copy, (void *)(uintptr_t)trampoline_begin};
}

/* A window's instructions keep their order and length in the stub, prefix and tail each. */
uintptr_t intercept_pc(uintptr_t pc)
{
    const uint8_t *p = (const uint8_t *)pc;
    uintptr_t to = pc;
    uint64_t old = enter();
    for (const uint8_t *site = p - SITE_TAIL; site < p + 2 + SITE_PREFIX; site++) {
        struct stub *s = stub_find(site);
        if (!s || !s->code || s->single || p <= s->window || !stands(s))
            continue;
        if (p < s->window + SITE_JUMP && p < site)
            to = (uintptr_t)s->code + (uintptr_t)(p - s->window);
        else if (p >= site && p < site + s->tail)
            to = (uintptr_t)s->code + s->tail_at + (uintptr_t)(p - site);
    }
    leave(old);
    return to;
}

/* stub.c - see stub.h. */
#include "stub.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../runtime/sys.h"
#include "decode.h"
#include "text.h"
#include "trampoline.h"

enum {
    ARENAS = 32,
    ARENA_SIZE = 128 << 10,
    SITES = 8192,        /* of the table, a power of two; filled up to three quarters */
    MAX_STUB = 96,       /* bytes of code: prefix 40, entry 20, tail 20, jump 5 */
    REACH = 0x7f000000,  /* a 32-bit displacement, less a margin */
    HOLE_STEP = 1 << 20, /* how finely to look for a free place */
};

/* Begins with the trampoline's address, which all its stubs jump through. */
struct arena {
    uint8_t *base;
    size_t used;
};

static struct arena arenas[ARENAS];
static struct arena *writing; /* the arena that `open` is of */
static struct text open;
static struct stub sites[SITES];
static int nsites;

/* ---- The table of sites. ---- */

static struct stub *slot(const uint8_t *site)
{
    size_t i = ((uintptr_t)site * 0x9e3779b97f4a7c15u) >> 51;
    while (sites[i].site && sites[i].site != site)
        i = (i + 1) & (SITES - 1);
    return &sites[i];
}

struct stub *stub_find(const uint8_t *site)
{
    struct stub *s = slot(site);
    return s->site ? s : NULL;
}

static struct stub *add(const uint8_t *site)
{
    struct stub *s = slot(site);
    if (s->site)
        return s;
    if (nsites >= SITES / 4 * 3)
        return NULL;
    nsites++;
    s->site = site;
    return s;
}

void stub_none(const uint8_t *site)
{
    struct stub *s = add(site);
    if (s)
        *s = (struct stub){.site = site};
}

uintptr_t stub_back(const struct stub *s)
{
    return (uintptr_t)(s->tail ? s->code + s->tail_at : s->site);
}

/* ---- Arenas. ---- */

static bool near(const uint8_t *base, const uint8_t *site)
{
    int64_t d = base - site;
    return d > -REACH && d + ARENA_SIZE < REACH;
}

static uint8_t *map_at(uintptr_t hint)
{
    long m = SYS6(SYS_mmap, hint, ARENA_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (m < 0 && m > -4096)
        return NULL;
    if ((uintptr_t)m == hint)
        return (uint8_t *)m;
    SYS2(SYS_munmap, m, ARENA_SIZE); /* a kernel that takes the flag for a mere hint */
    return NULL;
}

/* A free place near the site: below it first, as the heap grows above an executable. */
static uint8_t *map_near(const uint8_t *site)
{
    uintptr_t at = (uintptr_t)site & ~(uintptr_t)(HOLE_STEP - 1);
    uint8_t *m;
    for (uintptr_t d = HOLE_STEP; d < REACH - 2 * HOLE_STEP; d += HOLE_STEP) {
        if (at > d + HOLE_STEP && (m = map_at(at - d)) != NULL)
            return m;
    }
    for (uintptr_t d = HOLE_STEP; d < REACH - 2 * HOLE_STEP; d += HOLE_STEP)
        if ((m = map_at(at + d)) != NULL)
            return m;
    return NULL;
}

static struct arena *arena_for(const uint8_t *site)
{
    for (struct arena *a = arenas; a < arenas + ARENAS; a++) {
        if (!a->base) {
            a->base = map_near(site);
            if (!a->base)
                return NULL;
            *(uintptr_t *)(void *)a->base = (uintptr_t)trampoline_enter;
            a->used = 16;
            if (SYS3(SYS_mprotect, a->base, ARENA_SIZE, PROT_READ | PROT_EXEC) < 0) {
                SYS2(SYS_munmap, a->base, ARENA_SIZE);
                a->base = NULL;
                return NULL;
            }
            return a;
        }
        if (near(a->base, site) && a->used + MAX_STUB <= ARENA_SIZE)
            return a;
    }
    return NULL;
}

static int arena_open(struct arena *a, int more, bool alone)
{
    size_t room = (size_t)(more + 1) * MAX_STUB;
    if (writing == a && a->base + a->used + MAX_STUB <= open.lo + open.len)
        return 0;
    int rc = stub_flush();
    if (rc < 0)
        return rc;
    if (a->used + room > ARENA_SIZE)
        room = ARENA_SIZE - a->used;
    rc = text_open(&open, a->base + a->used, a->base + a->used + room, alone);
    if (rc == 0)
        writing = a;
    return rc;
}

int stub_flush(void)
{
    if (!writing)
        return 0;
    writing = NULL;
    return text_close(&open);
}

/* ---- Code. ---- */

/* Where code is being made: it will stand at `at`, and is written to `w`. */
struct pen {
    const uint8_t *at;
    uint8_t *w;
    bool far; /* a displacement did not fit */
};

static void put(struct pen *pen, const uint8_t *bytes, size_t n)
{
    text_copy(pen->w, bytes, n);
    pen->w += n;
    pen->at += n;
}

static void put_disp(struct pen *pen, const uint8_t *to)
{
    int64_t d = to - (pen->at + 4);
    int32_t d32 = (int32_t)d;
    if (d != d32)
        pen->far = true;
    put(pen, (const uint8_t *)&d32, 4);
}

/* An instruction of n opcode bytes and a displacement to `to`. */
static void put_op(struct pen *pen, const char *opcode, size_t n, const uint8_t *to)
{
    put(pen, (const uint8_t *)opcode, n);
    put_disp(pen, to);
}

/* The n bytes of whole instructions at `from`; what they address relative to themselves stays. */
static void put_moved(struct pen *pen, const uint8_t *from, size_t n)
{
    const uint8_t *end = from + n;
    struct insn in;
    for (; from < end && decode(from, end, &in); from += in.len) {
        int64_t moved = from - pen->at;
        uint8_t *w = pen->w;
        put(pen, from, in.len);
        if (in.flags & INSN_RIPREL) {
            int32_t *disp = (int32_t *)(void *)(w + in.disp_at);
            moved += *disp;
            *disp = (int32_t)moved;
            if (moved != (int32_t)moved)
                pen->far = true;
        }
    }
}

static void write_stub(struct pen *pen, struct stub *s, const struct arena *a)
{
    put_moved(pen, s->window, s->prefix);
    const uint8_t *tail = pen->at + 20; /* behind the three instructions that follow */
    s->tail_at = (uint8_t)(tail - s->code);
    put_op(pen, "\x4c\x8d\x1d", 3, s->site);                  /* lea site(%rip), %r11 */
    put_op(pen, "\x48\x8d\x0d", 3, s->tail ? tail : s->site); /* lea back(%rip), %rcx */
    put_op(pen, "\xff\x25", 2, a->base);                      /* jmp *trampoline(%rip) */
    if (s->tail) {
        put_moved(pen, s->site, s->tail);
        put_op(pen, "\xe9", 1, s->site + s->tail); /* jmp */
    }
}

int stub_make(const struct plan *p, int more, bool alone)
{
    struct arena *a = arena_for(p->window);
    if (!a)
        return -ENOMEM;
    int rc = arena_open(a, more, alone);
    if (rc < 0)
        return rc;
    struct stub s = {.site = p->site, .window = p->window, .code = a->base + a->used};
    s.prefix = p->prefix;
    s.tail = p->tail;
    s.single = p->single;
    struct pen pen = {.at = s.code, .w = text_at(&open, s.code)};
    write_stub(&pen, &s, a);
    if (pen.far)
        return -ERANGE;
    struct stub *entry = add(p->site);
    if (!entry)
        return -ENOSPC;
    *entry = s;
    a->used = ((size_t)(pen.at - a->base) + 15) & ~(size_t)15;
    return 0;
}

/* ---- Native execution. ---- */

/* One of the slots in the page that the trampoline's file sets aside. */
struct native {
    uint8_t code[8]; /* syscall; jmp *(%rip) */
    uintptr_t back;
};

static struct native *native_slot(uintptr_t back)
{
    struct native *n = (struct native *)(uintptr_t)native_page;
    const struct native *end = n + 4096 / sizeof *n;
    while (n < end && n->back && n->back != back)
        n++;
    return n < end ? n : NULL;
}

const void *stub_native_found(uintptr_t back)
{
    struct native *n = native_slot(back);
    return n && n->back == back ? n : NULL;
}

const void *stub_native(uintptr_t back)
{
    static const struct native form = {{0x0f, 0x05, 0xff, 0x25}, 0};
    struct native *n = native_slot(back);
    struct text t;
    if (!n || n->back == back)
        return n;
    if (text_open(&t, n, n + 1, false) < 0) /* it may be a child of vfork that asks */
        return NULL;
    struct native *w = (void *)text_at(&t, n);
    text_copy(w->code, form.code, sizeof form.code);
    w->back = back;
    return text_close(&t) < 0 ? NULL : n;
}

/* site.c - see site.h. */
#include "site.h"

#include "bytes.h"
#include "decode.h"

enum { NEAR = SITE_PREFIX + 2 + SITE_TAIL, MAX_INSNS = NEAR + 1, LOOK_BACK = 8 };

/* The instructions around one site, and the places near it that its function jumps to. */
struct view {
    const uint8_t *lo; /* SITE_PREFIX bytes before the `syscall` */
    const uint8_t *site;
    struct insn insn[MAX_INSNS];
    const uint8_t *at[MAX_INSNS]; /* where each stands */
    int n;
    int call;             /* index of the `syscall` */
    bool label[NEAR + 1]; /* lo[i] is jumped to */
    bool indirect;        /* the function jumps through tables: labels are not all known */
};

/* Whether the instruction before the `syscall` takes the jump: then no label can matter much, and
 * the rest of the function need not be read. Nearly all sites are so. */
static bool evident(const struct view *v)
{
    const struct insn *in = &v->insn[v->call - 1];
    return v->call > 0 && in->len >= SITE_JUMP && !(in->flags & INSN_FIXED);
}

static bool look(struct view *v, const uint8_t *p, const uint8_t *end, const uint8_t *site)
{
    *v = (struct view){.lo = site - 2 - SITE_PREFIX, .site = site, .call = -1};
    struct insn in;
    for (; p < end && decode(p, end, &in); p += in.len) {
        if (p == site && v->call >= 0 && evident(v))
            break;
        if (in.flags & INSN_INDIRECT)
            v->indirect = true;
        if ((in.flags & INSN_LABEL) && in.target >= v->lo && in.target - v->lo <= NEAR)
            v->label[in.target - v->lo] = true;
        if (p < v->lo || p - v->lo >= NEAR)
            continue;
        if (p == site - 2 && (in.flags & INSN_SYSCALL))
            v->call = v->n;
        v->at[v->n] = p;
        v->insn[v->n++] = in;
    }
    return v->call >= 0 && p >= site;
}

/* Whether a jump leads to a place in [lo, hi). */
static bool labelled(const struct view *v, const uint8_t *lo, const uint8_t *hi)
{
    for (const uint8_t *p = lo; p < hi; p++)
        if (v->label[p - v->lo])
            return true;
    return false;
}

static long constant(const uint8_t *p)
{
    return *(const int32_t *)(const void *)p;
}

/* The number the code loads into eax before the site, or -1. */
static long number(const struct view *v)
{
    enum { B = 1, R = 4 }; /* REX bits that turn eax into r8d */
    for (int i = v->call - 1; i >= 0 && i >= v->call - LOOK_BACK; i--) {
        const uint8_t *p = v->at[i];
        int rex = (*p & 0xf0) == 0x40 ? *p++ : 0;
        if (*p == 0xb8 && !(rex & B))
            return constant(p + 1);
        if (p[0] == 0xc7 && p[1] == 0xc0 && !(rex & B))
            return constant(p + 2);
        if ((p[0] == 0x31 || p[0] == 0x33) && p[1] == 0xc0 && !(rex & (R | B)))
            return 0;
        bool from_register = p[0] == 0x89 && (p[1] & 0xc7) == 0xc0 && !(rex & B);
        bool from_memory = p[0] == 0x8b && !(p[1] & 0x38) && !(rex & R);
        if (from_register || from_memory || (v->insn[i].flags & INSN_FIXED))
            return -1;
    }
    return -1;
}

/* Lengthens a window of too few bytes past the `syscall`. */
static bool add_tail(const struct view *v, struct plan *p)
{
    p->tail = 0;
    for (int i = v->call + 1; p->prefix + 2 + p->tail < SITE_JUMP; i++) {
        if (i >= v->n || (v->insn[i].flags & INSN_FIXED) || p->tail + v->insn[i].len > SITE_TAIL)
            return false;
        p->tail = (uint8_t)(p->tail + v->insn[i].len);
    }
    return true;
}

/* The whole instructions that the jump overwrites. */
static uint8_t span(const struct view *v, int i)
{
    int n = 0;
    while (n < SITE_JUMP)
        n += v->insn[i++].len;
    return (uint8_t)n;
}

/* A window of several instructions: usable if nobody jumps inside it, by what is known here. */
static bool plan_several(const struct view *v, int i, struct plan *p)
{
    const uint8_t *start = v->at[i];
    p->window = start;
    p->single = false;
    p->prefix = (uint8_t)(v->site - 2 - start);
    p->tail = 0;
    if (p->prefix < SITE_JUMP && !add_tail(v, p))
        return false;
    p->span = span(v, i);
    return !v->indirect && !labelled(v, start + 1, start + SITE_JUMP);
}

/* Going back from the `syscall`: the nearest single instruction that is always passed, else the
 * nearest usable group that is, else a single one that a jump may bypass. */
static bool choose(const struct view *v, bool alone, struct plan *out)
{
    struct plan several = *out, bypassed = *out;
    bool some = false, partial = false;
    const uint8_t *call = v->site - 2;
    if (alone && plan_several(v, v->call, &several))
        some = true;
    for (int i = v->call - 1; i >= 0 && i >= v->call - LOOK_BACK; i--) {
        const uint8_t *at = v->at[i];
        if (v->insn[i].flags & INSN_FIXED)
            break;
        bool through = !labelled(v, at + 1, call + 1);
        struct plan p = *out;
        p.window = at;
        p.prefix = (uint8_t)(call - at);
        p.single = v->insn[i].len >= SITE_JUMP;
        p.span = v->insn[i].len;
        if (p.single && through) {
            *out = p;
            return true;
        }
        if (p.single && !partial) {
            bypassed = p;
            partial = true;
        }
        bool better = !some || several.prefix < SITE_JUMP;
        if (alone && through && better && plan_several(v, i, &p)) {
            several = p;
            some = true;
        }
    }
    if (some || partial)
        *out = some ? several : bypassed;
    return some || partial;
}

/* Without knowing the function only the most evident form is trusted. */
static bool plan_blind(const uint8_t *site, struct plan *p)
{
    const uint8_t *mov = site - 7;
    if (mov[0] != 0xb8 || (mov[-1] & 0xf0) == 0x40 || (unsigned long)constant(mov + 1) >= 1024)
        return false;
    p->window = mov;
    p->prefix = p->span = SITE_JUMP;
    p->single = true;
    p->nr = constant(mov + 1);
    return true;
}

bool site_plan(const struct object *o, const uint8_t *site, bool alone, struct plan *out)
{
    const uint8_t *lo, *hi;
    struct view v;
    *out = (struct plan){.site = site, .nr = -1};
    if (site - o->lo < 8)
        return false;
    if (!object_function(o, site - 2, &lo, &hi))
        return plan_blind(site, out);
    if (!look(&v, lo, hi, site))
        return false;
    out->nr = number(&v);
    return choose(&v, alone, out);
}

/* The windows of several instructions among some plans, and a filter for quick answers. */
struct windows {
    struct plan *plans;
    int first, n;       /* of plans */
    uint64_t filter[8]; /* a bit for some lines of 64 bytes that a window touches */
};

static void filter_line(struct windows *w, const uint8_t *at)
{
    uintptr_t line = (uintptr_t)at / 64;
    w->filter[line / 64 % 8] |= (uint64_t)1 << line % 64;
}

/* If these are the four bytes of a jump's displacement. */
static void check_target(struct windows *w, const uint8_t *disp)
{
    const uint8_t *to = disp + 4 + *(const int32_t *)(const void *)disp;
    uintptr_t line = (uintptr_t)to / 64;
    if (!(w->filter[line / 64 % 8] >> line % 64 & 1))
        return;
    int a = w->first, b = w->n;
    while (a < b) { /* the first window that begins at or after the target */
        int m = (a + b) / 2;
        if (w->plans[m].window < to)
            a = m + 1;
        else
            b = m;
    }
    if (a > w->first && !w->plans[a - 1].single && to - w->plans[a - 1].window < SITE_JUMP)
        w->plans[a - 1].bad = true;
}

/* Every byte that might begin a jump is taken for one: better a site lost than code broken. Calls
 * need no look: they lead to the beginnings of functions, and windows lie inside. */
void site_check(const struct object *o, struct plan *plans, int n)
{
    struct windows w = {.plans = plans, .first = n, .n = n};
    for (int i = n - 1; i >= 0; i--) {
        if (plans[i].single)
            continue;
        w.first = i;
        filter_line(&w, plans[i].window + 1);
        filter_line(&w, plans[i].window + SITE_JUMP - 1);
    }
    if (w.first == n)
        return;
    const struct pair jump = {{0xff, 0}, {0xe9, 0}}, jump_if = {{0xff, 0xf0}, {0x0f, 0x80}};
    const uint8_t *end = o->hi - 6;
    for (const uint8_t *p = o->lo; (p = bytes_find(p, end, jump)) < end; p++)
        check_target(&w, p + 1);
    for (const uint8_t *p = o->lo; (p = bytes_find(p, end, jump_if)) < end; p++)
        check_target(&w, p + 2);
}

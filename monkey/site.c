/* site.c - see site.h. */
#include "site.h"

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

static bool look(struct view *v, const uint8_t *p, const uint8_t *end, const uint8_t *site)
{
    *v = (struct view){.lo = site - 2 - SITE_PREFIX, .site = site, .call = -1};
    struct insn in;
    for (; p < end && decode(p, end, &in); p += in.len) {
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
    return (long)(p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24);
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
    if (mov[0] != 0xb8 || (mov[-1] & 0xf0) == 0x40 || constant(mov + 1) >= 1024)
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

/* Every byte that might begin a jump is taken for one: better a site lost than code broken. */
void site_check(const struct object *o, struct plan *plans, int n)
{
    int first = 0;
    while (first < n && plans[first].single)
        first++;
    if (first == n)
        return;
    for (const uint8_t *p = o->lo; p + 6 <= o->hi; p++) {
        if ((*p & 0xfe) != 0xe8 && (*p != 0x0f || (p[1] & 0xf0) != 0x80))
            continue;
        const uint8_t *disp = p + (*p == 0x0f ? 2 : 1), *to = disp + 4 + (int32_t)constant(disp);
        int a = first, b = n;
        while (a < b) { /* the first window that begins at or after the target */
            int m = (a + b) / 2;
            if (plans[m].window < to)
                a = m + 1;
            else
                b = m;
        }
        if (a > first && !plans[a - 1].single && to - plans[a - 1].window < SITE_JUMP)
            plans[a - 1].bad = true;
    }
}

/* ident.c - see ident.h. */
#include "ident.h"
#include "compiler.h"
#include "memory.h"
#include <stdbool.h>
#include <stddef.h>

static bool grow(struct idents *s)
{
    uint32_t room = s->room == 0 ? 64 : s->room * 2;
    uint32_t *more = memory_resize(s->free, room * sizeof *more);
    if (more == NULL)
        return false;
    s->free = more;
    s->room = room;
    return true;
}

uint32_t ident_take(struct idents *s)
{
    if (LIKELY(s->count > 0))
        return s->free[--s->count];
    if (s->highest == s->room && !grow(s))
        return 0;
    return ++s->highest;
}

void ident_give(struct idents *s, uint32_t ident)
{
    if (ident != 0)
        s->free[s->count++] = ident;
}

void idents_free(struct idents *s)
{
    memory_put(s->free);
    *s = (struct idents){0};
}

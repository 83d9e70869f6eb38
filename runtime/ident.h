/* ident.h - the small numbers of a hub's threads: 1, 2, ..., each re-used when its thread is gone.
 */
#pragma once
#include <stdint.h>

/* Zeroed memory has given out none. */
struct idents {
    uint32_t *free; /* those given back, the last first; room for all that were ever out */
    uint32_t count; /* of them */
    uint32_t highest;
    uint32_t room;
};

/* 0: no memory. */
uint32_t ident_take(struct idents *idents);
void ident_give(struct idents *idents, uint32_t ident);
void idents_free(struct idents *idents);

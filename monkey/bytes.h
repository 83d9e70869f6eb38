/* bytes.h - searching code for a pair of bytes, eight places at a time: whole libraries are
 * searched at start. */
#pragma once
#include <stdint.h>

/* A pattern for two consecutive bytes: a byte fits if (byte & mask) == value. */
struct pair {
    uint8_t mask[2], value[2];
};

/* The first place in [p, end) that fits, or end. Reads up to one byte behind end. */
static inline const uint8_t *bytes_find(const uint8_t *p, const uint8_t *end, struct pair f)
{
    const uint64_t each = 0x0101010101010101, top = each << 7;
    for (; end - p >= 8; p += 8) {
        uint64_t a = *(const uint64_t *)(const void *)p & (each * f.mask[0]);
        uint64_t b = *(const uint64_t *)(const void *)(p + 1) & (each * f.mask[1]);
        uint64_t x = (a ^ (each * f.value[0])) | (b ^ (each * f.value[1]));
        uint64_t zero = (x - each) & ~x & top;
        if (zero)
            return p + __builtin_ctzll(zero) / 8;
    }
    while (p < end && ((p[0] & f.mask[0]) != f.value[0] || (p[1] & f.mask[1]) != f.value[1]))
        p++;
    return p;
}

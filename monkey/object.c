/* object.c - see object.h. Function bounds come from .eh_frame: every call frame that can be
 * unwound has an entry there, found by a binary search, without symbols. */
#include "object.h"

#include <dlfcn.h>

/* glibc 2.35: no lock, no allocation, made for unwinders. */
extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));

bool object_segment(uintptr_t base, const Elf64_Phdr *ph, size_t n, uintptr_t addr,
                    struct object *out)
{
    *out = (struct object){0};
    for (size_t i = 0; i < n; i++) {
        uintptr_t lo = base + ph[i].p_vaddr;
        if (ph[i].p_type == PT_GNU_EH_FRAME)
            out->unwind = (const uint8_t *)lo;
        else if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X) && addr - lo < ph[i].p_memsz) {
            out->lo = (const uint8_t *)lo;
            out->hi = out->lo + ph[i].p_memsz;
        }
    }
    return out->lo != NULL;
}

bool object_at(uintptr_t addr, struct object *out)
{
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)addr, &found) != 0)
        return false;
    const Elf64_Ehdr *elf = found.dlfo_map_start;
    if (*(const uint32_t *)elf != *(const uint32_t *)ELFMAG)
        return false;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)((uintptr_t)elf + elf->e_phoff);
    uintptr_t base = (uintptr_t)elf;
    for (size_t i = 0; i < elf->e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD) {
            base -= ph[i].p_vaddr & ~(uintptr_t)4095;
            break;
        }
    }
    return object_segment(base, ph, elf->e_phnum, addr, out);
}

/* The encoding of the addresses in the frame entries of one CIE; 0 if it cannot be told. */
static uint8_t cie_encoding(const uint8_t *cie)
{
    const char *aug = (const char *)cie + 9;
    const uint8_t *p = cie + 9;
    if (aug[0] != 'z')
        return 0;
    while (*p++)
        ;
    for (int leb = 0; leb < 4; leb++) /* code and data alignment, return column, length */
        while (*p++ & 0x80)
            ;
    for (const char *a = aug + 1; *a; a++) {
        if (*a == 'R')
            return *p;
        else if (*a == 'L')
            p++;
        else if (*a == 'P')
            p += (*p & 7) == 4 ? 9 : 5;
        else if (*a != 'S' && *a != 'B')
            return 0;
    }
    return 0;
}

bool object_function(const struct object *o, const uint8_t *addr, const uint8_t **lo,
                     const uint8_t **hi)
{
    const uint8_t *hdr = o->unwind;
    if (!hdr || hdr[0] != 1 || hdr[2] != 0x03 || hdr[3] != 0x3b) /* what every linker writes */
        return false;
    const int32_t(*table)[2] = (const void *)(hdr + 12);
    int64_t at = addr - hdr;
    uint32_t a = 0, b = *(const uint32_t *)(hdr + 8);
    while (a < b) {
        uint32_t m = a + (b - a) / 2;
        if (table[m][0] <= at)
            a = m + 1;
        else
            b = m;
    }
    if (a == 0)
        return false;
    const uint8_t *fde = hdr + table[a - 1][1];
    const uint8_t *cie = fde + 4 - *(const int32_t *)(fde + 4);
    uint8_t width = cie_encoding(cie) & 0x0f;
    if (*(const uint32_t *)fde == 0xffffffff || (width != 0x0b && width != 0x03))
        return false;
    *lo = hdr + table[a - 1][0];
    *hi = *lo + *(const uint32_t *)(fde + 12);
    return *lo >= o->lo && *hi <= o->hi && addr < *hi;
}

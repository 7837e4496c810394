/* SPDX-License-Identifier: Apache-2.0 */
/* meta_family.h - the names, units and help texts of the exporter's metrics about itself, from meta.def. */
#ifndef EXPORTERS_META_FAMILY_H
#define EXPORTERS_META_FAMILY_H

enum meta_family_id {
#define META(ID, NAME, UNIT, HELP) ID,
#include "meta.def"
#undef META
    META_FAMILY_COUNT
};

/* Constants, by enum meta_family_id. */
extern const struct meta_family {
    const char *name, *unit, *help;
} meta_families[META_FAMILY_COUNT];

#endif

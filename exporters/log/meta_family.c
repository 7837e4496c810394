/* SPDX-License-Identifier: Apache-2.0 */
#include "meta_family.h"

const struct meta_family meta_families[META_FAMILY_COUNT] = {
#define META(ID, NAME, UNIT, HELP) [ID] = {NAME, UNIT, HELP},
#include "meta.def"
#undef META
};

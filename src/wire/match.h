/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of a recogniser: these bytes are not it, may be it when more
 * have come, or are it.
 */
#ifndef CMI_WIRE_MATCH_H
#define CMI_WIRE_MATCH_H

#include "core/cursor.h"

enum cmi_match { CMI_MATCH_NONE, CMI_MATCH_PART, CMI_MATCH_WHOLE };

#endif

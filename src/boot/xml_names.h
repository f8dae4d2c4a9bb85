/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expat as of 2.9: where it stands in the input has names of its own in 64
 * bits, and the old ones are deprecated.  Before that the old ones are all.
 */
#ifndef CMI_BOOT_XML_NAMES_H
#define CMI_BOOT_XML_NAMES_H

#include <expat.h>

#if XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION < 9
#define XML_GetCurrentByteIndex64  XML_GetCurrentByteIndex
#define XML_GetCurrentByteCount64  XML_GetCurrentByteCount
#define XML_GetCurrentLineNumber64 XML_GetCurrentLineNumber
#endif

#endif

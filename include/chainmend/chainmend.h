/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend: complete, explain and mend TLS certificate chains.
 *
 * This is the whole public interface; it needs no header of any other
 * library.  The library never prints, exits, forks, reads the environment
 * or keeps global state.  Errors live in a struct that the caller owns.
 */
#ifndef CHAINMEND_CHAINMEND_H
#define CHAINMEND_CHAINMEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CMEND_API      __attribute__((visibility("default")))
#define CMEND_MUST_USE __attribute__((warn_unused_result))
#else
#define CMEND_API
#define CMEND_MUST_USE
#endif

/* What became of a call.  Values are stable; new ones come at the end. */
typedef enum cmend_status {
	CMEND_OK = 0,
	CMEND_ARG,         /* the caller broke the contract */
	CMEND_NOMEM,       /* memory could not be had */
	CMEND_IO,          /* a file or device refused */
	CMEND_PARSE,       /* the bytes are not what they should be */
	CMEND_LIMIT,       /* a ceiling was reached */
	CMEND_NOT_FOUND,   /* nothing by that name */
	CMEND_NET,         /* the network failed */
	CMEND_CRYPTO,      /* libcrypto refused */
	CMEND_REFUSED,     /* a safety rule or a peer said no */
	CMEND_BUSY,        /* somebody else holds it */
	CMEND_TIMEOUT,     /* the time allowed ran out */
	CMEND_UNSUPPORTED, /* known, and not done here */
	CMEND_AGAIN,       /* come back with more input */
	CMEND_INTERNAL,    /* a fault of ours: please report it */
} cmend_status;

/* Room for one line of explanation, with its final NUL. */
#define CMEND_ERROR_TEXT 512

/*
 * One failure.  Owned by the caller, who may pass NULL where only the status
 * matters.  `message` is one line without a full stop, safe to print.
 */
typedef struct cmend_error {
	cmend_status status;
	char message[CMEND_ERROR_TEXT];
} cmend_error;

/* The status as a lower-case word or two; static, never NULL. */
CMEND_API const char *cmend_status_text(cmend_status status);

/* The library's version, such as "0.1.0"; static. */
CMEND_API const char *cmend_version(void);

#ifdef __cplusplus
}
#endif

#endif /* CHAINMEND_CHAINMEND_H */

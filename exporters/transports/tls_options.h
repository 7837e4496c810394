/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_options.h - the rows of the options for TLS that all transports have.
 */
#ifndef EXPORTERS_TLS_OPTIONS_H
#define EXPORTERS_TLS_OPTIONS_H

#include "option.h"
#include "tls_files.h"

/* For a settings struct that has the members ca_file, client_cert and client_key, each a char *. */
#define TLS_OPTIONS(STRUCT)                                                                    \
    {.name = "ca_file",                                                                        \
     .type = OPTION_STRING,                                                                    \
     OPTION_FIELD(STRUCT, ca_file),                                                            \
     .check = tls_check_path,                                                                  \
     .help = "file with CA certificates (PEM) to verify the server, instead of the system's"}, \
        {.name = "client_cert",                                                                \
         .type = OPTION_STRING,                                                                \
         OPTION_FIELD(STRUCT, client_cert),                                                    \
         .check = tls_check_path,                                                              \
         .help = "file with the client certificate (PEM)"},                                    \
    {                                                                                          \
        .name = "client_key", .type = OPTION_STRING, OPTION_FIELD(STRUCT, client_key),         \
        .check = tls_check_path, .help = "file with the client certificate's key (PEM)"        \
    }

/* The files of such a struct. */
#define TLS_FILES(SETTINGS)                                            \
    (&(const struct tls_files){.ca_file = (SETTINGS)->ca_file,         \
                               .client_cert = (SETTINGS)->client_cert, \
                               .client_key = (SETTINGS)->client_key})

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_options.h - the rows of the options for TLS that all transports have.
 */
#ifndef EXPORTERS_TLS_OPTIONS_H
#define EXPORTERS_TLS_OPTIONS_H

#include "option.h"

/* For a settings struct that has the members ca_file, client_cert and client_key, each a char *. */
#define TLS_OPTIONS(STRUCT)                                                                    \
    {.name = "ca_file",                                                                        \
     .type = OPTION_STRING,                                                                    \
     OPTION_FIELD(STRUCT, ca_file),                                                            \
     .help = "file with CA certificates (PEM) to verify the server, instead of the system's"}, \
        {.name = "client_cert",                                                                \
         .type = OPTION_STRING,                                                                \
         OPTION_FIELD(STRUCT, client_cert),                                                    \
         .help = "file with the client certificate (PEM)"},                                    \
    {                                                                                          \
        .name = "client_key", .type = OPTION_STRING, OPTION_FIELD(STRUCT, client_key),         \
        .help = "file with the client certificate's key (PEM)"                                 \
    }

#endif

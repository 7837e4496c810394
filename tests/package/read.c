/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the counter that the writers beside this file write. */
#include <mtx/snapshot.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    metrics_error_t error;
    metrics_reader_t *reader = metrics_reader_open(NULL, NULL, &error);
    metrics_snapshot_t *snapshot = reader ? metrics_snapshot_take(reader, &error) : NULL;
    if (!snapshot) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        metrics_row_t rows[METRICS_ROWS_MAX];
        size_t n = metrics_reading_rows(reading, NULL, NULL, rows, METRICS_ROWS_MAX);
        for (size_t j = 0; j < n && !strcmp(metrics_reading_name(reading), "outside.count"); j++)
            printf("%.0f\n", metrics_row_number(&rows[j]));
    }
    metrics_snapshot_release(&snapshot);
    metrics_reader_close(&reader);
    return 0;
}

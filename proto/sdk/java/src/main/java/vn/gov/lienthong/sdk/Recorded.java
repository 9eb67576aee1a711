package vn.gov.lienthong.sdk;

import java.time.Instant;

/**
 * What a receipt that holds proves was recorded.
 *
 * @param method the full method
 * @param caller the SPIFFE id of who asked
 * @param time when
 * @param index of the record in the log, unsigned
 * @param size of the log when the receipt was made, unsigned
 */
public record Recorded(String method, String caller, Instant time, long index, long size) {}

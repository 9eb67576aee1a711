/**
 * A client of the published services of lienthong: mutual TLS, deadlines, the published retries, refusals as values,
 * and receipts that can be checked.
 */
package vn.gov.lienthong.sdk;

package vn.gov.lienthong.sdk;

import java.security.GeneralSecurityException;

/** The receipt does not prove this answer to this request. */
public final class ReceiptException extends GeneralSecurityException {
  private static final long serialVersionUID = 1;

  ReceiptException(String reason) {
    super("the receipt does not hold: " + reason);
  }
}

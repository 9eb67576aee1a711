package vn.gov.lienthong.sdk;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import vn.gov.lienthong.audit.v1.Receipt;
import vn.gov.lienthong.audit.v1.SealedResponse;

/**
 * A call that was answered. Keep request and response: they are the exact bytes that the receipt proves, and the same
 * messages serialised again may be others. They hold personal data.
 *
 * @param <A> the answer
 */
public record Answered<A extends MessageLite>(
    Method<A> method, byte[] request, byte[] response, A answer, Receipt receipt) {

  /** From bytes that were kept. */
  public static <A extends MessageLite> Answered<A> fromWire(Method<A> method, byte[] request, byte[] response)
      throws InvalidProtocolBufferException {
    SealedResponse sealed = SealedResponse.parseFrom(response);
    A answer = method.answer.parseFrom(sealed.getAnswer());
    return new Answered<>(method, request, response, answer, Receipt.parseFrom(sealed.getReceipt()));
  }

  /** Checks the receipt offline, against the key of the log. */
  public Recorded verify(String logKey) throws ReceiptException {
    Recorded recorded = Receipts.verify(request, response, logKey);
    if (!recorded.method().equals(method.path())) {
      throw new ReceiptException("the record is of another method");
    }
    return recorded;
  }

  /** Says nothing of the person. */
  @Override
  public String toString() {
    return "<answer of " + method + ", record " + Long.toUnsignedString(receipt.getIndex()) + ">";
  }
}

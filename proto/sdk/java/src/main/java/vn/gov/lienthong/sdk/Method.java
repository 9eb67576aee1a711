package vn.gov.lienthong.sdk;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.grpc.MethodDescriptor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import vn.gov.lienthong.contribution.v1.ContributionReceipt;
import vn.gov.lienthong.contribution.v1.ContributionServiceGrpc;
import vn.gov.lienthong.identity.v1.GetPersonAnswer;
import vn.gov.lienthong.identity.v1.IdentityServiceGrpc;
import vn.gov.lienthong.identity.v1.VerifyClaimsAnswer;

/**
 * A method whose response is {@code { answer = 1; receipt = 2 }}.
 *
 * @param <A> the answer
 */
public final class Method<A extends MessageLite> {
  /** Looks a person up. */
  public static final Method<GetPersonAnswer> GET_PERSON =
      new Method<>(IdentityServiceGrpc.getGetPersonMethod(), GetPersonAnswer.parser());

  /** Holds claimed values against the register. */
  public static final Method<VerifyClaimsAnswer> VERIFY_CLAIMS =
      new Method<>(IdentityServiceGrpc.getVerifyClaimsMethod(), VerifyClaimsAnswer.parser());

  /** Submits one event in a person's life. */
  public static final Method<ContributionReceipt> SUBMIT_CONTRIBUTION =
      new Method<>(ContributionServiceGrpc.getSubmitContributionMethod(), ContributionReceipt.parser());

  final MethodDescriptor<byte[], byte[]> bytes;
  final Parser<A> answer;

  private Method(MethodDescriptor<?, ?> generated, Parser<A> answer) {
    this.bytes = generated.toBuilder(Bytes.MARSHALLER, Bytes.MARSHALLER).build();
    this.answer = answer;
  }

  /** The full method, as a receipt names it. */
  public String path() {
    return "/" + bytes.getFullMethodName();
  }

  @Override
  public String toString() {
    return path();
  }

  /** Bytes in, bytes out: a receipt proves bytes. */
  private enum Bytes implements MethodDescriptor.Marshaller<byte[]> {
    MARSHALLER;

    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream message) {
      try {
        return message.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }
}

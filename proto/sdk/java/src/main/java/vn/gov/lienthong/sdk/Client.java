package vn.gov.lienthong.sdk;

import com.google.gson.Gson;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import vn.gov.lienthong.contribution.v1.ContributionReceipt;
import vn.gov.lienthong.contribution.v1.SubmitContributionRequest;
import vn.gov.lienthong.identity.v1.GetPersonAnswer;
import vn.gov.lienthong.identity.v1.GetPersonRequest;
import vn.gov.lienthong.identity.v1.VerifyClaimsAnswer;
import vn.gov.lienthong.identity.v1.VerifyClaimsRequest;

/** A connection to the published services as one caller. Calls throw {@link Refused}. Safe for use by many threads. */
public final class Client implements AutoCloseable {
  private final ManagedChannel channel;
  private final Duration timeout;

  private Client(ManagedChannel channel, Duration timeout) {
    this.channel = channel;
    this.timeout = timeout;
  }

  /** A client of the services at an endpoint, {@code host:port}. */
  public static Builder to(String endpoint) {
    return new Builder(endpoint);
  }

  /** Whom to connect to and as whom; files are PEM. */
  public static final class Builder {
    private final String endpoint;
    private Path ca;
    private Path certificate;
    private Path key;
    private String serverName;
    private Duration timeout = Duration.ofSeconds(30);

    private Builder(String endpoint) {
      this.endpoint = endpoint;
    }

    /** The CA of the server's certificate. Required. */
    public Builder ca(Path file) {
      this.ca = file;
      return this;
    }

    /** The caller's certificate and its key, in PKCS #8. Required. */
    public Builder identity(Path certificateFile, Path keyFile) {
      this.certificate = certificateFile;
      this.key = keyFile;
      return this;
    }

    /** The name in the server's certificate, where it is not that of the endpoint. */
    public Builder serverName(String name) {
      this.serverName = name;
      return this;
    }

    /** The deadline of a call that names none, with all attempts; 30 seconds when it is not said. */
    public Builder timeout(Duration duration) {
      this.timeout = duration;
      return this;
    }

    /** Prepares a connection; it is made with the first call. */
    public Client connect() throws IOException {
      Objects.requireNonNull(ca, "ca");
      Objects.requireNonNull(certificate, "identity");
      SslContext tls =
          GrpcSslContexts.forClient()
              .protocols("TLSv1.3")
              .trustManager(ca.toFile())
              .keyManager(certificate.toFile(), key.toFile())
              .build();
      NettyChannelBuilder channel =
          NettyChannelBuilder.forTarget(endpoint).sslContext(tls).defaultServiceConfig(serviceConfig()).enableRetry();
      if (serverName != null) {
        channel.overrideAuthority(serverName);
      }
      return new Client(channel.build(), timeout);
    }

    @SuppressWarnings("unchecked") // JSON's objects are maps of strings; gRPC checks the rest.
    private static Map<String, ?> serviceConfig() throws IOException {
      try (InputStream published = Client.class.getResourceAsStream("service_config.json")) {
        return new Gson().fromJson(new InputStreamReader(published, StandardCharsets.UTF_8), Map.class);
      }
    }
  }

  /** Looks a person up. */
  public Answered<GetPersonAnswer> getPerson(GetPersonRequest request) {
    return call(Method.GET_PERSON, request.toByteArray());
  }

  /** Holds claimed values against the register. */
  public Answered<VerifyClaimsAnswer> verifyClaims(VerifyClaimsRequest request) {
    return call(Method.VERIFY_CLAIMS, request.toByteArray());
  }

  /** Submits one event. To be able to repeat it, keep the request's bytes and use {@link #call}. */
  public Answered<ContributionReceipt> submitContribution(SubmitContributionRequest request) {
    return call(Method.SUBMIT_CONTRIBUTION, request.toByteArray());
  }

  /** Sends exactly these bytes. */
  public <A extends MessageLite> Answered<A> call(Method<A> method, byte[] request) {
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    try {
      byte[] response = ClientCalls.blockingUnaryCall(channel, method.bytes, options, request);
      return Answered.fromWire(method, request, response);
    } catch (StatusRuntimeException error) {
      throw new Refused(error);
    } catch (InvalidProtocolBufferException error) {
      throw new Refused(Status.INTERNAL.withDescription("the response is malformed").asRuntimeException());
    }
  }

  /** The same connection with another deadline for calls; closing either closes both. */
  public Client within(Duration duration) {
    return new Client(channel, duration);
  }

  /** For the generated stubs: whatever is not here. */
  public ManagedChannel channel() {
    return channel;
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}

package vn.gov.lienthong.sdk;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.LocalizedMessage;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A call that was not answered. Programs act on code and reason, people read {@link #vi} or {@link #en}. It holds
 * nothing of the request.
 */
public final class Refused extends RuntimeException {
  /** The domain of the reasons. */
  public static final String DOMAIN = "lienthong.gov.vn";

  private static final long serialVersionUID = 1;
  private static final Metadata.Key<com.google.rpc.Status> DETAILS =
      Metadata.Key.of(
          "grpc-status-details-bin", ProtoUtils.metadataMarshaller(com.google.rpc.Status.getDefaultInstance()));

  /** What is wrong with one field; the reason is a name of FieldFault without its prefix. */
  public record FieldFault(String field, String reason, String vi, String description) {}

  /**
   * Why the register rejected a contribution: the reason is a name of RejectionReason without its prefix, the subject
   * the item, or empty where the whole is meant.
   */
  public record Rejection(String reason, String subject, String description) {}

  private final transient Said said;

  private record Said(
      Status.Code code,
      String reason,
      String vi,
      String en,
      Map<String, String> metadata,
      List<FieldFault> fields,
      List<Rejection> rejections,
      Optional<Duration> retryAfter) {}

  Refused(StatusRuntimeException error) {
    this(said(error), error);
  }

  private Refused(Said said, StatusRuntimeException error) {
    super(text(said), error);
    this.said = said;
  }

  public Status.Code code() {
    return said.code;
  }

  /**
   * A name of ErrorReason without its prefix; empty where the error is none of the service: no connection, a deadline
   * that passed here, a proxy between.
   */
  public String reason() {
    return said.reason;
  }

  public String vi() {
    return said.vi;
  }

  public String en() {
    return said.en;
  }

  public Map<String, String> metadata() {
    return said.metadata;
  }

  /** What is wrong with the request, all at once. */
  public List<FieldFault> fields() {
    return said.fields;
  }

  /** Why the register rejected a contribution. */
  public List<Rejection> rejections() {
    return said.rejections;
  }

  /** When to come again, where it was said. */
  public Optional<Duration> retryAfter() {
    return said.retryAfter;
  }

  /** Where the refusal is recorded in the access log, if it is. */
  public OptionalLong recordIndex() {
    return number("record_index", said.metadata);
  }

  /** The rule that refused, if one did. */
  public Optional<String> rule() {
    return Optional.ofNullable(said.metadata.get("rule"));
  }

  /** The article that the refusal rests on, as cited, if it rests on one. */
  public Optional<String> article() {
    return Optional.ofNullable(said.metadata.get("article"));
  }

  private static Said said(StatusRuntimeException error) {
    List<Any> details = details(error);
    Optional<ErrorInfo> info = first(details, ErrorInfo.class).filter(i -> i.getDomain().equals(DOMAIN));
    Map<String, String> metadata = info.map(ErrorInfo::getMetadataMap).orElse(Map.of());
    Optional<Duration> delay =
        first(details, RetryInfo.class)
            .map(RetryInfo::getRetryDelay)
            .map(d -> Duration.ofSeconds(d.getSeconds(), d.getNanos()));
    OptionalLong seconds = number("retry_after_seconds", metadata);
    if (delay.isEmpty() && seconds.isPresent()) {
      delay = Optional.of(Duration.ofSeconds(seconds.getAsLong()));
    }
    return new Said(
        error.getStatus().getCode(),
        info.map(ErrorInfo::getReason).orElse(""),
        first(details, LocalizedMessage.class)
            .filter(m -> m.getLocale().equals("vi-VN"))
            .map(LocalizedMessage::getMessage)
            .orElse(""),
        Optional.ofNullable(error.getStatus().getDescription()).orElse(""),
        metadata,
        first(details, BadRequest.class).stream()
            .flatMap(bad -> bad.getFieldViolationsList().stream())
            .map(v -> new FieldFault(v.getField(), v.getReason(), v.getLocalizedMessage().getMessage(), v.getDescription()))
            .toList(),
        first(details, PreconditionFailure.class).stream()
            .flatMap(unmet -> unmet.getViolationsList().stream())
            .map(v -> new Rejection(v.getType(), v.getSubject(), v.getDescription()))
            .toList(),
        delay);
  }

  private static String text(Said said) {
    String text = (said.code + " " + said.reason).stripTrailing() + ": ";
    text += Stream.of(said.vi, said.en).filter(words -> !words.isEmpty()).collect(Collectors.joining(" / "));
    String faults =
        Stream.concat(
                said.fields.stream().map(fault -> fault.field + " " + fault.reason),
                said.rejections.stream().map(r -> (r.subject + " " + r.reason).stripLeading()))
            .collect(Collectors.joining(", "));
    return faults.isEmpty() ? text : text + " (" + faults + ")";
  }

  private static List<Any> details(StatusRuntimeException error) {
    try {
      com.google.rpc.Status status = error.getTrailers() == null ? null : error.getTrailers().get(DETAILS);
      return status == null ? List.of() : status.getDetailsList();
    } catch (IllegalArgumentException malformed) {
      return List.of();
    }
  }

  private static <D extends com.google.protobuf.Message> Optional<D> first(List<Any> details, Class<D> kind) {
    for (Any detail : details) {
      try {
        if (detail.is(kind)) {
          return Optional.of(detail.unpack(kind));
        }
      } catch (InvalidProtocolBufferException malformed) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }

  private static OptionalLong number(String name, Map<String, String> metadata) {
    String text = metadata.getOrDefault(name, "");
    return text.matches("[0-9]{1,18}") ? OptionalLong.of(Long.parseLong(text)) : OptionalLong.empty();
  }
}

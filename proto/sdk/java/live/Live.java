import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.MessageLite;
import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import vn.gov.lienthong.contribution.v1.BirthRegistration;
import vn.gov.lienthong.contribution.v1.ContributionState;
import vn.gov.lienthong.contribution.v1.SubmitContributionRequest;
import vn.gov.lienthong.identity.v1.ClaimOutcome;
import vn.gov.lienthong.identity.v1.ClaimResult;
import vn.gov.lienthong.identity.v1.ClaimedValue;
import vn.gov.lienthong.identity.v1.GetPersonRequest;
import vn.gov.lienthong.identity.v1.LookupOutcome;
import vn.gov.lienthong.identity.v1.VerifyClaimsRequest;
import vn.gov.lienthong.sdk.Answered;
import vn.gov.lienthong.sdk.Client;
import vn.gov.lienthong.sdk.Method;
import vn.gov.lienthong.sdk.ReceiptException;
import vn.gov.lienthong.sdk.Receipts;
import vn.gov.lienthong.sdk.Recorded;
import vn.gov.lienthong.sdk.Refused;
import vn.gov.lienthong.type.v1.AccessBasis;
import vn.gov.lienthong.type.v1.Address;
import vn.gov.lienthong.type.v1.Claims;
import vn.gov.lienthong.type.v1.CodedValue;
import vn.gov.lienthong.type.v1.ItemValue;
import vn.gov.lienthong.type.v1.PartialDate;
import vn.gov.lienthong.type.v1.PersonName;
import vn.gov.lienthong.type.v1.SubjectRef;

/**
 * The SDK against a running demonstration: Live DEMO_JSON STRANGER_FOLDER UNWILLING_ENDPOINT.
 *
 * <p>STRANGER_FOLDER holds a certificate of another CA: ca.pem, stranger.pem, stranger.key; live/unwilling.py serves at
 * UNWILLING_ENDPOINT. Ends with 1 at the first thing that is not as it should be.
 */
class Live {
  static JsonObject demo;
  static Path stranger;
  static String unwilling;
  static String logKey;

  interface Part {
    void run() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    demo = JsonParser.parseString(Files.readString(Path.of(args[0]))).getAsJsonObject();
    stranger = Path.of(args[1]);
    unwilling = args[2];
    logKey = Files.readString(Path.of(text(demo, "log_key")));
    part("looks up", Live::looksUp);
    part("verifies claims", Live::verifiesClaims);
    part("contributes", Live::contributes);
    part("decodes refusals", Live::decodesRefusals);
    part("knows no stranger", Live::knowsNoStranger);
    part("keeps deadlines", Live::keepsDeadlines);
    part("tries again", Live::triesAgain);
  }

  static void part(String name, Part part) throws Exception {
    part.run();
    System.out.println("java live: " + name);
  }

  static void need(boolean holds, Object what) {
    if (!holds) {
      System.err.println("java live: " + what);
      System.exit(1);
    }
  }

  static String text(JsonObject of, String name) {
    return of.get(name).getAsString();
  }

  static JsonObject caller(String name) {
    return demo.getAsJsonObject("callers").getAsJsonObject(name);
  }

  static Client.Builder to(String endpoint, String name) {
    JsonObject me = caller(name);
    return Client.to(endpoint)
        .serverName(text(demo, "server_name"))
        .ca(Path.of(text(demo, "ca")))
        .identity(Path.of(text(me, "certificate")), Path.of(text(me, "key")));
  }

  static Client.Builder as(String name) {
    return to(text(demo, "endpoint"), name);
  }

  static JsonObject subject(String kind) {
    for (JsonElement subject : demo.getAsJsonArray("subjects")) {
      if (text(subject.getAsJsonObject(), "kind").equals(kind)) {
        return subject.getAsJsonObject();
      }
    }
    throw new IllegalStateException("there is no " + kind);
  }

  static AccessBasis basis(String caller) {
    JsonObject basis = caller(caller).getAsJsonObject("basis");
    return AccessBasis.newBuilder()
        .setProcedure(text(basis, "procedure"))
        .setLegalBasis(text(basis, "legal_basis"))
        .setCaseReference(text(basis, "case_reference"))
        .setActingUnit(text(basis, "acting_unit"))
        .setOfficer(text(basis, "officer"))
        .build();
  }

  static SubjectRef ref(JsonObject person) {
    return SubjectRef.newBuilder().setPersonalNumber(text(person, "personal_number")).build();
  }

  static PartialDate born(JsonObject person) {
    JsonObject date = person.getAsJsonObject("date_of_birth");
    return PartialDate.newBuilder()
        .setYear(date.get("year").getAsInt())
        .setMonth(date.get("month").getAsInt())
        .setDay(date.get("day").getAsInt())
        .build();
  }

  static Claims claims(JsonObject person) {
    return Claims.newBuilder().setFullName(text(person, "full_name")).setDateOfBirth(born(person)).build();
  }

  static GetPersonRequest lookup(String requestId) {
    return GetPersonRequest.newBuilder()
        .setSubject(ref(subject("child")))
        .setClaims(claims(subject("child")))
        .addAllItems(List.of("birth_full_name", "date_of_birth", "ethnic_group"))
        .setBasis(basis("social-insurance"))
        .setRequestId(requestId)
        .build();
  }

  static CodedValue coded(String system, String version, String code) {
    return CodedValue.newBuilder().setCodeSystem(system).setCodeSystemVersion(version).setCode(code).build();
  }

  static SubmitContributionRequest birth(String entry, String key) {
    LocalDate now = LocalDate.now(ZoneOffset.ofHours(7));
    PartialDate today =
        PartialDate.newBuilder().setYear(now.getYear()).setMonth(now.getMonthValue()).setDay(now.getDayOfMonth()).build();
    Address place =
        Address.newBuilder().setText("Phường Giả Định, Hà Nội").setProvinceCode("01").setUnitsVersion("2025").build();
    BirthRegistration birth =
        BirthRegistration.newBuilder()
            .setEntryNumber(entry)
            .setRegistrationDate(today)
            .setRegistrationPlaceCode("990")
            .setRegistrationPlace(place.toBuilder().setCommuneCode("00001"))
            .setFullName(PersonName.newBuilder().setFullName("Nguyễn Giả Định Thử Nghiệm"))
            .setDateOfBirth(today)
            .setSex(coded("sex", "1", "1"))
            .setPlaceOfBirth(place)
            .setNativePlace(place)
            .setEthnicGroup(coded("ethnic-group", "gso-15172", "01"))
            .setNationality(coded("nationality", "iso-3166-1", "VN"))
            .build();
    return SubmitContributionRequest.newBuilder()
        .setIdempotencyKey(key)
        .setBasis(basis("civil-status"))
        .setRequestId("live-2")
        .setBirth(birth)
        .build();
  }

  static Refused refused(Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (Refused refused) {
      return refused;
    }
    need(false, "answered what should be refused");
    throw new IllegalStateException();
  }

  static String random() {
    return UUID.randomUUID().toString();
  }

  static void refusesEveryChangedByte(Answered<? extends MessageLite> answered) {
    byte[][] evidence = {answered.request(), answered.response(), logKey.getBytes(StandardCharsets.UTF_8)};
    for (int part = 0; part < evidence.length; part++) {
      for (int at = 0; at < evidence[part].length; at++) {
        byte[][] other = evidence.clone();
        other[part] = evidence[part].clone();
        other[part][at] ^= (byte) (1 << at % 7);
        try {
          Receipts.verify(other[0], other[1], new String(other[2], StandardCharsets.UTF_8));
          need(false, "a receipt holds with byte " + at + " of part " + part + " changed");
        } catch (ReceiptException asItShould) {
          continue;
        }
      }
    }
  }

  static void looksUp() throws Exception {
    try (Client me = as("social-insurance").connect()) {
      var got = me.getPerson(lookup("live-1"));
      need(got.answer().getOutcome() == LookupOutcome.LOOKUP_OUTCOME_MATCH, "the child is not found");
      String name = got.answer().getItems(0).getValue().getValues(0).getValue().getName().getFullName();
      need(name.equals(text(subject("child"), "full_name")), "another name");
      String article = got.answer().getItems(2).getWithheld().getArticle();
      need(article.equals("Decision 1911/QD-TTg, Art. 2(1)"), "withheld without its article");
      Recorded recorded = got.verify(logKey);
      need(recorded.caller().equals(text(caller("social-insurance"), "spiffe_id")), "another caller");
      need(recorded.index() == got.receipt().getIndex(), "another index");
      var kept = Answered.fromWire(got.method(), got.request(), got.response());
      need(kept.verify(logKey).equals(recorded), "kept bytes say something else");
      need(!got.toString().contains(text(subject("child"), "personal_number")), "it prints the person");
      refusesEveryChangedByte(got);
    }
  }

  static void verifiesClaims() throws Exception {
    JsonObject person = subject("adult");
    var request =
        VerifyClaimsRequest.newBuilder()
            .setSubject(ref(person))
            .setClaims(claims(person))
            .addClaimedValues(
                ClaimedValue.newBuilder()
                    .setItem("date_of_birth")
                    .setValue(ItemValue.newBuilder().setDate(born(person))))
            .addClaimedValues(
                ClaimedValue.newBuilder().setItem("religion").setValue(ItemValue.newBuilder().setText("x")))
            .setBasis(basis("portal"))
            .setRequestId("live-3")
            .build();
    try (Client me = as("portal").connect()) {
      var got = me.verifyClaims(request);
      var outcomes = got.answer().getResultsList().stream().map(ClaimResult::getOutcome).toList();
      need(outcomes.equals(List.of(ClaimOutcome.CLAIM_OUTCOME_MATCH, ClaimOutcome.CLAIM_OUTCOME_DENIED)), outcomes);
      got.verify(logKey);
    }
  }

  static void contributes() throws Exception {
    String entry = random();
    String key = random();
    try (Client me = as("civil-status").connect()) {
      var first = me.submitContribution(birth(entry, key));
      need(first.answer().getState() == ContributionState.CONTRIBUTION_STATE_APPLIED, "not applied");
      need(first.answer().getPersonalNumber().startsWith("990"), "no fictional number was issued");
      first.verify(logKey);
      var again = me.call(Method.SUBMIT_CONTRIBUTION, first.request());
      need(Arrays.equals(again.response(), first.response()), "sent again, another answer or another receipt");
      Refused twice = refused(() -> me.submitContribution(birth(entry, random())));
      need(twice.code() == Status.Code.FAILED_PRECONDITION && twice.reason().equals("CONTRIBUTION_REJECTED"), twice);
      var reasons = twice.rejections().stream().map(Refused.Rejection::reason).toList();
      need(reasons.equals(List.of("ALREADY_REGISTERED")), twice);
      Refused reused = refused(() -> me.submitContribution(birth(random(), key)));
      need(reused.code() == Status.Code.ALREADY_EXISTS && reused.reason().equals("KEY_REUSED"), reused);
      refusesEveryChangedByte(first);
    }
  }

  static void decodesRefusals() throws Exception {
    try (Client former = as("former").connect()) {
      Refused ended = refused(() -> former.getPerson(lookup("live-4")));
      need(ended.code() == Status.Code.PERMISSION_DENIED && ended.reason().equals("CONNECTION_NOT_ACTIVE"), ended);
      need(ended.article().equals(Optional.of("Decree 70/2024/ND-CP, Art. 7(2)")), "no article");
      need(ended.recordIndex().isPresent(), "no record");
      need(ended.vi().equals("Kết nối chưa được mở, đã tạm dừng hoặc đã chấm dứt."), ended.vi());
      need(ended.en().equals("The connection is absent, suspended or ended."), ended.en());
    }
    GetPersonRequest.Builder bad = lookup("").toBuilder().clearItems().clearBasis();
    bad.getSubjectBuilder().setPersonalNumber("99832660362");
    bad.getClaimsBuilder().getDateOfBirthBuilder().setMonth(13);
    try (Client me = as("social-insurance").connect()) {
      Refused faulty = refused(() -> me.getPerson(bad.build()));
      need(faulty.code() == Status.Code.INVALID_ARGUMENT && faulty.reason().equals("INVALID_REQUEST"), faulty);
      Map<String, String> named = new HashMap<>();
      for (Refused.FieldFault fault : faulty.fields()) {
        named.put(fault.field(), fault.reason());
        need(!fault.vi().isEmpty() && !fault.description().isEmpty(), "a fault without words");
      }
      Map<String, String> all =
          Map.of(
              "items", "MISSING",
              "basis", "MISSING",
              "request_id", "MISSING",
              "subject.personal_number", "MALFORMED",
              "claims.date_of_birth", "MALFORMED");
      need(named.equals(all), named);
      need(!faulty.toString().contains("99832660362"), "an error repeats a value");
    }
  }

  static void knowsNoStranger() throws Exception {
    var theirs = as("social-insurance").identity(stranger.resolve("stranger.pem"), stranger.resolve("stranger.key"));
    var server = as("social-insurance").ca(stranger.resolve("ca.pem"));
    for (Client.Builder builder : List.of(theirs, server)) {
      try (Client me = builder.connect()) {
        Refused error = refused(() -> me.getPerson(lookup("live-5")));
        need(error.code() == Status.Code.UNAVAILABLE && error.reason().isEmpty(), "a stranger: " + error);
      }
    }
  }

  static void keepsDeadlines() throws Exception {
    try (Client me = as("social-insurance").connect()) {
      Client hasty = me.within(Duration.ofMillis(1));
      need(refused(() -> hasty.getPerson(lookup("live-6"))).code() == Status.Code.DEADLINE_EXCEEDED, "1 ms");
    }
    try (Client me = as("social-insurance").timeout(Duration.ofMillis(1)).connect()) {
      need(refused(() -> me.getPerson(lookup("live-6"))).code() == Status.Code.DEADLINE_EXCEEDED, "1 ms by default");
    }
  }

  static void triesAgain() throws Exception {
    try (Client me = to(unwilling, "social-insurance").connect()) {
      need(me.getPerson(lookup("third-time")).answer().getRequestId().equals("third-time"), "no third time");
      Refused never = refused(() -> me.getPerson(lookup("never")));
      need(never.code() == Status.Code.UNAVAILABLE && never.reason().equals("OVERLOADED"), never);
      need(never.metadata().get("attempt").equals("5"), never.metadata());
      need(never.retryAfter().equals(Optional.of(Duration.ofSeconds(7))), never.retryAfter());
      Refused malformed = refused(() -> me.getPerson(lookup("malformed")));
      need(malformed.code() == Status.Code.INTERNAL && malformed.reason().isEmpty(), malformed);
    }
  }
}

import com.google.gson.*;
import java.nio.file.*;
import vn.gov.lienthong.identity.v1.*;
import vn.gov.lienthong.sdk.*;
import vn.gov.lienthong.type.v1.*;

class LookUp {
  public static void main(String[] args) throws Exception {
    JsonObject demo = JsonParser.parseString(Files.readString(Path.of(args[0]))).getAsJsonObject();
    JsonObject me = demo.getAsJsonObject("callers").getAsJsonObject("social-insurance");
    JsonObject who = demo.getAsJsonArray("subjects").asList().stream().map(JsonElement::getAsJsonObject)
        .filter(subject -> subject.get("kind").getAsString().equals("child")).findFirst().get();
    JsonObject basis = me.getAsJsonObject("basis"), born = who.getAsJsonObject("date_of_birth");

    var request = GetPersonRequest.newBuilder().setRequestId("example-1")
        .setSubject(SubjectRef.newBuilder().setPersonalNumber(text(who, "personal_number")))
        .setClaims(Claims.newBuilder().setFullName(text(who, "full_name")).setDateOfBirth(PartialDate.newBuilder()
            .setYear(born.get("year").getAsInt()).setMonth(born.get("month").getAsInt()).setDay(born.get("day").getAsInt())))
        .setBasis(AccessBasis.newBuilder().setProcedure(text(basis, "procedure"))
            .setLegalBasis(text(basis, "legal_basis")).setCaseReference(text(basis, "case_reference"))
            .setActingUnit(text(basis, "acting_unit")).setOfficer(text(basis, "officer")))
        .addItems("birth_full_name").addItems("date_of_birth").addItems("ethnic_group").build();
    try (var client = Client.to(text(demo, "endpoint")).serverName(text(demo, "server_name")).ca(Path.of(text(demo, "ca")))
        .identity(Path.of(text(me, "certificate")), Path.of(text(me, "key"))).connect()) {
      var answered = client.getPerson(request);
      answered.answer().getItemsList().forEach(item -> System.out.println(item.getItem() + " " + item.getOutcomeCase()));
      System.out.println(answered.verify(Files.readString(Path.of(text(demo, "log_key")))));
    }
  }

  static String text(JsonObject of, String name) {
    return of.get(name).getAsString();
  }
}

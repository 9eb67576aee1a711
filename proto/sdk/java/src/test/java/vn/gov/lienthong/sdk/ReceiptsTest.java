package vn.gov.lienthong.sdk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.Gson;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import org.junit.jupiter.api.Test;
import vn.gov.lienthong.audit.v1.Receipt;
import vn.gov.lienthong.audit.v1.SealedResponse;

/** The check of receipts against committed vectors, and that no changed bit of them holds. */
class ReceiptsTest {
  private static final Path ROOT = Path.of("../../..");
  private static final Path SAMPLE = ROOT.resolve("services/lienthong/testdata/receipt");

  /** Request, response and key of the committed receipt. */
  private static byte[][] sample() throws IOException {
    // A C2SP tlog-proof: its name, the index, the hashes, an empty line, the checkpoint.
    String[] proof = Files.readString(SAMPLE.resolve("receipt.tlog-proof")).split("\n\n", 2);
    String[] lines = proof[0].split("\n");
    Receipt.Builder receipt =
        Receipt.newBuilder()
            .setLeaf(bytes("leaf"))
            .setIndex(Long.parseLong(lines[1].substring("index ".length())))
            .setCheckpoint(proof[1])
            .setOpening(bytes("opening"));
    for (String line : Arrays.asList(lines).subList(2, lines.length)) {
      receipt.addProof(ByteString.copyFrom(Base64.getDecoder().decode(line)));
    }
    SealedResponse response =
        SealedResponse.newBuilder().setAnswer(bytes("answer")).setReceipt(receipt.build().toByteString()).build();
    byte[] key = Files.readAllBytes(SAMPLE.resolve("log.vkey"));
    return new byte[][] {bytes("request").toByteArray(), response.toByteArray(), key};
  }

  private static ByteString bytes(String name) throws IOException {
    return ByteString.copyFrom(Files.readAllBytes(SAMPLE.resolve(name + ".bin")));
  }

  private static Recorded verify(byte[]... evidence) throws ReceiptException {
    return Receipts.verify(evidence[0], evidence[1], new String(evidence[2], StandardCharsets.UTF_8));
  }

  @Test
  void leafAndOuterCommitment() throws IOException {
    Map<?, ?> vector =
        new Gson().fromJson(Files.readString(ROOT.resolve("shared/tlog/testdata/leaf.json")), Map.class);
    HexFormat hex = HexFormat.of();
    byte[] leaf = hex.parseHex((String) vector.get("leaf"));
    assertArrayEquals(hex.parseHex((String) vector.get("leaf_hash")), Receipts.leafHash(leaf));
    byte[] outer =
        Receipts.outerCommitment(
            hex.parseHex((String) vector.get("outer_key")),
            ((String) vector.get("context")).getBytes(StandardCharsets.UTF_8),
            hex.parseHex((String) vector.get("request")),
            hex.parseHex((String) vector.get("answer")));
    assertArrayEquals(outer, Arrays.copyOfRange(leaf, 40, 72));
  }

  @Test
  void aCommittedReceiptHolds() throws Exception {
    Recorded recorded = verify(sample());
    assertEquals(1, recorded.index());
    assertEquals(3, recorded.size());
    assertEquals(Method.GET_PERSON.path(), recorded.method());
    assertEquals("spiffe://lienthong.test/agency/SAMPLE/system/sample", recorded.caller());
  }

  @Test
  void noChangedBitHolds() throws Exception {
    byte[][] evidence = sample();
    for (int part = 0; part < evidence.length; part++) {
      for (int at = 0; at < evidence[part].length * 8; at++) {
        byte[][] other = evidence.clone();
        other[part] = evidence[part].clone();
        other[part][at / 8] ^= (byte) (1 << at % 8);
        assertThrows(ReceiptException.class, () -> verify(other), "part " + part + ", bit " + at);
      }
    }
  }

  @Test
  void nothingAndLessDoNotHold() throws Exception {
    byte[][] evidence = sample();
    byte[] whole = evidence[1];
    byte[] twice = Arrays.copyOf(whole, whole.length + 2); // a second, empty receipt
    twice[whole.length] = 0x12;
    for (byte[] response : new byte[][] {{}, Arrays.copyOf(whole, whole.length - 1), twice, {-1, -1, -1}}) {
      assertThrows(ReceiptException.class, () -> verify(evidence[0], response, evidence[2]));
    }
  }

  @Test
  void theServiceConfigIsThePublishedOne() throws IOException {
    try (InputStream embedded = Client.class.getResourceAsStream("service_config.json")) {
      assertArrayEquals(Files.readAllBytes(ROOT.resolve("proto/service_config.json")), embedded.readAllBytes());
    }
  }
}

package vn.gov.lienthong.sdk;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import vn.gov.lienthong.audit.v1.Receipt;
import vn.gov.lienthong.audit.v1.SealedResponse;

/** The check of receipts, offline, as lienthong/audit/v1/receipt.proto, RFC 6962 and the C2SP formats say. */
public final class Receipts {
  private static final int LEAF_BYTES = 104;
  private static final int KEY_BYTES = 32;
  private static final int HASH_BYTES = 32;
  private static final ByteString LEAF_PREFIX = ByteString.copyFromUtf8("lienthong/leaf/1");
  private static final Pattern KEY = Pattern.compile("([^\\s+]+)\\+([0-9a-f]{8})\\+(\\S{44})\\n?");
  private static final Pattern CHECKPOINT =
      Pattern.compile(
          "((.+)\\n(0|[1-9][0-9]{0,18})\\n([A-Za-z0-9+/]{43}=)\\n)\\n((?:\u2014 \\S+ \\S+\\n)+)", Pattern.UNIX_LINES);
  private static final Pattern CONTEXT = Pattern.compile("(/.+)\\n(.+)\\n", Pattern.UNIX_LINES);
  // SubjectPublicKeyInfo of an Ed25519 key, up to the key (RFC 8410).
  private static final byte[] SPKI = HexFormat.of().parseHex("302a300506032b6570032100");

  private Receipts() {}

  /**
   * Checks the exact bytes of a request and of its response against the key of the log, which comes from a source that
   * you trust, not with the response.
   */
  public static Recorded verify(byte[] request, byte[] response, String logKey) throws ReceiptException {
    try {
      // Both fields are left as bytes: only they can be checked.
      SealedResponse sealed = SealedResponse.parseFrom(response);
      Receipt receipt = Receipt.parseFrom(sealed.getReceipt());
      Checkpoint checkpoint = checkpoint(receipt.getCheckpoint(), logKey);
      need(receipt.getLeaf().size() == LEAF_BYTES && receipt.getLeaf().startsWith(LEAF_PREFIX), "the leaf is malformed");
      byte[] leaf = receipt.getLeaf().toByteArray();
      byte[] root = included(leaf, receipt.getIndex(), checkpoint.size, receipt.getProofList());
      need(Arrays.equals(root, checkpoint.root), "the proof does not lead to the root");
      need(receipt.getOpening().size() > KEY_BYTES, "the opening is malformed");
      byte[] outerKey = receipt.getOpening().substring(0, KEY_BYTES).toByteArray();
      byte[] context = receipt.getOpening().substring(KEY_BYTES).toByteArray();
      byte[] outer = outerCommitment(outerKey, context, request, sealed.getAnswer().toByteArray());
      need(MessageDigest.isEqual(outer, Arrays.copyOfRange(leaf, 40, 72)), "the record is of other content");
      Matcher named = CONTEXT.matcher(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(context)));
      need(named.matches(), "the opening is malformed");
      Instant time = Instant.ofEpochMilli(ByteBuffer.wrap(leaf).getLong(16));
      return new Recorded(named.group(1), named.group(2), time, receipt.getIndex(), checkpoint.size);
    } catch (InvalidProtocolBufferException | CharacterCodingException error) {
      throw new ReceiptException("the response is malformed");
    }
  }

  /** RFC 6962, 2.1. */
  static byte[] leafHash(byte[] leaf) {
    return hash(new byte[] {0}, leaf);
  }

  /** What the leaf holds from offset 40, as receipt.proto defines it. */
  static byte[] outerCommitment(byte[] outerKey, byte[] context, byte[] request, byte[] answer) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(outerKey, "HmacSHA256"));
      mac.update("lienthong/outer/1\0".getBytes(StandardCharsets.US_ASCII));
      for (byte[] part : List.of(context, request, answer)) {
        mac.update(hash(part));
      }
      return mac.doFinal();
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
  }

  /** The root that a proof leads to (RFC 9162, 2.1.3.2, on the tree of RFC 6962). */
  private static byte[] included(byte[] leaf, long index, long size, List<ByteString> proof) throws ReceiptException {
    need(Long.compareUnsigned(index, size) < 0, "the checkpoint is older than the record");
    byte[] node = leafHash(leaf);
    long at = index;
    long last = size - 1;
    for (ByteString sibling : proof) {
      need(last != 0 && sibling.size() == HASH_BYTES, "the proof is malformed");
      boolean right = (at & 1) == 1 || at == last;
      byte[] other = sibling.toByteArray();
      node = right ? hash(new byte[] {1}, other, node) : hash(new byte[] {1}, node, other);
      while (at == last && (at & 1) == 0) {
        at >>>= 1;
        last >>>= 1;
      }
      at >>>= 1;
      last >>>= 1;
    }
    need(last == 0, "the proof is malformed");
    return node;
  }

  private record Checkpoint(long size, byte[] root) {}

  /** Size and root of a checkpoint that the log's key signed (C2SP tlog-checkpoint, signed-note). */
  private static Checkpoint checkpoint(String note, String logKey) throws ReceiptException {
    Matcher parts = KEY.matcher(logKey);
    Matcher text = CHECKPOINT.matcher(note);
    need(parts.matches() && parts.group(1).codePoints().noneMatch(Character::isSpaceChar), "the log's key is malformed");
    need(text.matches(), "the checkpoint is malformed");
    String name = parts.group(1);
    byte[] key = unbase64(parts.group(3));
    byte[] id = Arrays.copyOf(hash((name + "\n").getBytes(StandardCharsets.UTF_8), key), 4);
    boolean ofItsId = key.length == 33 && key[0] == 1 && HexFormat.of().formatHex(id).equals(parts.group(2));
    need(ofItsId, "the log's key is not of its id");
    boolean signed = false;
    for (String line : text.group(5).split("\n")) {
      String[] words = line.split(" ");
      if (!words[1].equals(name)) {
        continue;
      }
      byte[] signature = unbase64(words[2]);
      if (signature.length < 4 || !Arrays.equals(id, Arrays.copyOf(signature, 4))) {
        continue; // of another key: it does not count
      }
      byte[] body = text.group(1).getBytes(StandardCharsets.UTF_8);
      need(signedBy(key, body, Arrays.copyOfRange(signature, 4, signature.length)), "the signature is false");
      signed = true;
    }
    need(signed && text.group(2).equals(name), "the checkpoint is not signed by the log's key");
    return new Checkpoint(Long.parseUnsignedLong(text.group(3)), unbase64(text.group(4)));
  }

  private static boolean signedBy(byte[] key, byte[] body, byte[] signature) {
    try {
      byte[] encoded = ByteBuffer.allocate(SPKI.length + key.length - 1).put(SPKI).put(key, 1, key.length - 1).array();
      PublicKey decoded = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded));
      Signature ed25519 = Signature.getInstance("Ed25519");
      ed25519.initVerify(decoded);
      ed25519.update(body);
      return ed25519.verify(signature);
    } catch (GeneralSecurityException error) {
      return false;
    }
  }

  private static byte[] hash(byte[]... parts) {
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      for (byte[] part : parts) {
        sha256.update(part);
      }
      return sha256.digest();
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
  }

  private static void need(boolean holds, String reason) throws ReceiptException {
    if (!holds) {
      throw new ReceiptException(reason);
    }
  }

  private static byte[] unbase64(String text) throws ReceiptException {
    try {
      byte[] data = Base64.getDecoder().decode(text);
      need(Base64.getEncoder().encodeToString(data).equals(text), "base64 is not in its one form");
      return data;
    } catch (IllegalArgumentException error) {
      throw new ReceiptException("base64 is malformed");
    }
  }
}

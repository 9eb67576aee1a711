package lienthong

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	auditv1 "lienthong.gov.vn/sdk/go/lienthong/audit/v1"
)

// The check of a receipt, offline, as lienthong/audit/v1/receipt.proto, RFC 6962 and the C2SP formats say.
const leafBytes, keyBytes, leafPrefix = 104, 32, "lienthong/leaf/1"

var (
	keyForm        = regexp.MustCompile(`\A([^\s+]+)\+([0-9a-f]{8})\+(\S{44})\n?\z`)
	checkpointForm = regexp.MustCompile(`\A((.+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n)\n((?:— \S+ \S+\n)+)\z`)
	contextForm    = regexp.MustCompile(`\A(/.+)\n(.+)\n\z`)
)

// ErrReceipt is that a receipt does not prove this answer to this request.
var ErrReceipt = errors.New("the receipt does not hold")

func fails(reason string) error { return fmt.Errorf("%w: %s", ErrReceipt, reason) }

// Record is what a receipt that holds proves was recorded.
type Record struct {
	Method, Caller string
	Time           time.Time
	Index, Size    uint64
}

// Verify checks the exact bytes of a request and of its response against the key of the log, which comes from a
// source that you trust, not with the response. An error is an ErrReceipt.
func Verify(request, response []byte, logKey string) (Record, error) {
	sealed, receipt, err := open(response)
	if err != nil {
		return Record{}, err
	}
	size, root, err := checkpoint(receipt.Checkpoint, logKey)
	if err != nil {
		return Record{}, err
	}
	leaf := receipt.Leaf
	if len(leaf) != leafBytes || string(leaf[:len(leafPrefix)]) != leafPrefix {
		return Record{}, fails("the leaf is malformed")
	}
	led, err := included(leaf, receipt.Index, size, receipt.Proof)
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(led, root) {
		return Record{}, fails("the proof does not lead to the root")
	}
	if len(receipt.Opening) < keyBytes || !utf8.Valid(receipt.Opening[keyBytes:]) {
		return Record{}, fails("the opening is malformed")
	}
	outerKey, context := receipt.Opening[:keyBytes], receipt.Opening[keyBytes:]
	if !hmac.Equal(outerCommitment(outerKey, context, request, sealed.Answer), leaf[40:72]) {
		return Record{}, fails("the record is of other content")
	}
	named := contextForm.FindSubmatch(context)
	if named == nil {
		return Record{}, fails("the opening is malformed")
	}
	recorded := time.UnixMilli(int64(binary.BigEndian.Uint64(leaf[16:24]))).UTC()
	return Record{string(named[1]), string(named[2]), recorded, receipt.Index, size}, nil
}

// Both fields are left as bytes: only they can be checked.
func open(response []byte) (*auditv1.SealedResponse, *auditv1.Receipt, error) {
	sealed, receipt := new(auditv1.SealedResponse), new(auditv1.Receipt)
	if proto.Unmarshal(response, sealed) != nil || proto.Unmarshal(sealed.Receipt, receipt) != nil {
		return nil, nil, fails("the response is malformed")
	}
	return sealed, receipt, nil
}

// RFC 6962, 2.1.
func leafHash(leaf []byte) []byte { return hash([]byte{0}, leaf) }

// What the leaf holds from offset 40, as receipt.proto defines it.
func outerCommitment(outerKey, context, request, answer []byte) []byte {
	mac := hmac.New(sha256.New, outerKey)
	mac.Write([]byte("lienthong/outer/1\x00"))
	for _, part := range [][]byte{context, request, answer} {
		mac.Write(hash(part))
	}
	return mac.Sum(nil)
}

// The root that a proof leads to (RFC 9162, 2.1.3.2, on the tree of RFC 6962).
func included(leaf []byte, index, size uint64, path [][]byte) ([]byte, error) {
	if index >= size {
		return nil, fails("the checkpoint is older than the record")
	}
	node, at, last := leafHash(leaf), index, size-1
	for _, sibling := range path {
		if last == 0 || len(sibling) != sha256.Size {
			return nil, fails("the proof is malformed")
		}
		if at%2 == 1 || at == last {
			node = hash([]byte{1}, sibling, node)
			for at == last && at%2 == 0 {
				at, last = at/2, last/2
			}
		} else {
			node = hash([]byte{1}, node, sibling)
		}
		at, last = at/2, last/2
	}
	if last != 0 {
		return nil, fails("the proof is malformed")
	}
	return node, nil
}

// Size and root of a checkpoint that the log's key signed (C2SP tlog-checkpoint, signed-note).
func checkpoint(note, logKey string) (size uint64, root []byte, err error) {
	parts, text := keyForm.FindStringSubmatch(logKey), checkpointForm.FindStringSubmatch(note)
	if parts == nil || strings.ContainsFunc(parts[1], unicode.IsSpace) {
		return 0, nil, fails("the log's key is malformed")
	}
	if text == nil {
		return 0, nil, fails("the checkpoint is malformed")
	}
	name, body, origin, signatures := parts[1], text[1], text[2], text[5]
	key, err := unbase64(parts[3])
	if err != nil {
		return 0, nil, err
	}
	id := hash([]byte(name+"\n"), key)[:4]
	if len(key) != 1+ed25519.PublicKeySize || key[0] != 1 || hex.EncodeToString(id) != parts[2] {
		return 0, nil, fails("the log's key is not of its id")
	}
	signed := false
	for line := range strings.SplitSeq(strings.TrimSuffix(signatures, "\n"), "\n") {
		words := strings.Split(line, " ")
		if words[1] != name {
			continue
		}
		signature, err := unbase64(words[2])
		if err != nil {
			return 0, nil, err
		}
		if !bytes.HasPrefix(signature, id) {
			continue // of another key: it does not count
		}
		if !ed25519.Verify(key[1:], []byte(body), signature[len(id):]) {
			return 0, nil, fails("the signature is false")
		}
		signed = true
	}
	if !signed || origin != name {
		return 0, nil, fails("the checkpoint is not signed by the log's key")
	}
	if size, err = strconv.ParseUint(text[3], 10, 64); err != nil {
		return 0, nil, fails("the checkpoint is malformed")
	}
	root, err = unbase64(text[4])
	return size, root, err
}

func hash(parts ...[]byte) []byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func unbase64(text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(data) != text {
		return nil, fails("base64 is not in its one form")
	}
	return data, nil
}

package lienthong

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	auditv1 "lienthong.gov.vn/sdk/go/lienthong/audit/v1"
)

const (
	root       = "../../../"
	sampleData = root + "services/lienthong/testdata/receipt/"
)

func file(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Request, response and key of the committed receipt.
func sample(t *testing.T) (evidence [3][]byte) {
	t.Helper()
	// A C2SP tlog-proof: its name, the index, the hashes, an empty line, the checkpoint.
	head, checkpoint, _ := strings.Cut(string(file(t, sampleData+"receipt.tlog-proof")), "\n\n")
	lines := strings.Split(head, "\n")
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	receipt := &auditv1.Receipt{
		Leaf: file(t, sampleData+"leaf.bin"), Index: index,
		Checkpoint: checkpoint, Opening: file(t, sampleData+"opening.bin"),
	}
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		receipt.Proof = append(receipt.Proof, hash)
	}
	inner, err := proto.Marshal(receipt)
	if err != nil {
		t.Fatal(err)
	}
	response, err := proto.Marshal(&auditv1.SealedResponse{Answer: file(t, sampleData+"answer.bin"), Receipt: inner})
	if err != nil {
		t.Fatal(err)
	}
	return [3][]byte{file(t, sampleData+"request.bin"), response, file(t, sampleData+"log.vkey")}
}

func TestLeafAndOuterCommitment(t *testing.T) {
	var vector struct {
		Context, Request, Answer, Leaf string
		OuterKey                       string `json:"outer_key"`
		LeafHash                       string `json:"leaf_hash"`
	}
	if err := json.Unmarshal(file(t, root+"shared/tlog/testdata/leaf.json"), &vector); err != nil {
		t.Fatal(err)
	}
	unhex := func(text string) []byte {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	leaf := unhex(vector.Leaf)
	if !bytes.Equal(leafHash(leaf), unhex(vector.LeafHash)) {
		t.Error("another leaf hash")
	}
	outer := outerCommitment(unhex(vector.OuterKey), []byte(vector.Context), unhex(vector.Request), unhex(vector.Answer))
	if !bytes.Equal(outer, leaf[40:72]) {
		t.Error("another outer commitment")
	}
}

func TestACommittedReceiptHolds(t *testing.T) {
	evidence := sample(t)
	record, err := Verify(evidence[0], evidence[1], string(evidence[2]))
	if err != nil {
		t.Fatal(err)
	}
	if record.Index != 1 || record.Size != 3 || record.Method != string(GetPerson) ||
		record.Caller != "spiffe://lienthong.test/agency/SAMPLE/system/sample" {
		t.Error(record)
	}
}

func TestNoChangedBitHolds(t *testing.T) {
	evidence := sample(t)
	for part, data := range evidence {
		for at := range len(data) * 8 {
			other := evidence
			other[part] = bytes.Clone(data)
			other[part][at/8] ^= 1 << (at % 8)
			if _, err := Verify(other[0], other[1], string(other[2])); !errors.Is(err, ErrReceipt) {
				t.Errorf("part %d, bit %d: %v", part, at, err)
			}
		}
	}
}

func TestNothingAndLessDoNotHold(t *testing.T) {
	evidence := sample(t)
	for _, response := range [][]byte{
		nil, evidence[1][:len(evidence[1])-1], append(bytes.Clone(evidence[1]), 0x12, 0), bytes.Repeat([]byte{0xff}, 9),
	} {
		if _, err := Verify(evidence[0], response, string(evidence[2])); !errors.Is(err, ErrReceipt) {
			t.Errorf("%d bytes: %v", len(response), err)
		}
	}
}

func TestAnAnswerPrintsNothingOfThePerson(t *testing.T) {
	evidence := sample(t)
	answered := Answered[proto.Message]{Method: "/m", Request: evidence[0], Response: evidence[1]}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, text := range []string{fmt.Sprintf(form, answered), fmt.Sprintf(form, &answered)} {
			if text != "<answer of /m, record 0>" {
				t.Error(form, text)
			}
		}
	}
}

// The SDK against a running demonstration: live DEMO_JSON STRANGER_FOLDER UNWILLING_ENDPOINT
//
// STRANGER_FOLDER holds a certificate of another CA: ca.pem, stranger.pem, stranger.key; live/unwilling.py serves at
// UNWILLING_ENDPOINT. Ends with 1 at the first thing that is not as it should be.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"lienthong.gov.vn/sdk/go"
	"lienthong.gov.vn/sdk/go/internal/demo"
	contributionv1 "lienthong.gov.vn/sdk/go/lienthong/contribution/v1"
	identityv1 "lienthong.gov.vn/sdk/go/lienthong/identity/v1"
	typev1 "lienthong.gov.vn/sdk/go/lienthong/type/v1"
)

var (
	it        demo.Demo
	stranger  string
	unwilling string
	always    = context.Background()
)

func main() {
	it, stranger, unwilling = demo.Read(os.Args[1]), os.Args[2], os.Args[3]
	for _, part := range []struct {
		name string
		run  func()
	}{
		{"looks up", looksUp}, {"verifies claims", verifiesClaims}, {"contributes", contributes},
		{"decodes refusals", decodesRefusals}, {"knows no stranger", knowsNoStranger},
		{"keeps deadlines", keepsDeadlines}, {"tries again", triesAgain},
	} {
		part.run()
		fmt.Println("go live:", part.name)
	}
}

func need(holds bool, what ...any) {
	if !holds {
		fmt.Fprintln(os.Stderr, append([]any{"go live:"}, what...)...)
		os.Exit(1)
	}
}

func client(caller string, changes ...func(*lienthong.Config)) *lienthong.Client {
	me := it.Callers[caller]
	config := lienthong.Config{
		Endpoint: it.Endpoint, ServerName: it.ServerName, CA: it.CA, Certificate: me.Certificate, Key: me.Key,
	}
	for _, change := range changes {
		change(&config)
	}
	client, err := lienthong.Connect(config)
	need(err == nil, err)
	return client
}

func answered[A proto.Message](answered *lienthong.Answered[A], err error) *lienthong.Answered[A] {
	need(err == nil, err)
	return answered
}

func refused[A any](_ A, err error) *lienthong.Refused {
	var refused *lienthong.Refused
	need(errors.As(err, &refused), "answered what should be refused, or failed otherwise:", err)
	return refused
}

func about(person demo.Subject) (*typev1.SubjectRef, *typev1.Claims) {
	number := &typev1.SubjectRef_PersonalNumber{PersonalNumber: person.PersonalNumber}
	claims := &typev1.Claims{FullName: person.FullName, DateOfBirth: proto.CloneOf(person.DateOfBirth)}
	return &typev1.SubjectRef{Subject: number}, claims
}

func lookup(requestID string) *identityv1.GetPersonRequest {
	subject, claims := about(it.Subject("child"))
	return &identityv1.GetPersonRequest{
		Subject: subject, Claims: claims, Basis: it.Callers["social-insurance"].Basis, RequestId: requestID,
		Items: []string{"birth_full_name", "date_of_birth", "ethnic_group"},
	}
}

func birth(entry, key string) *contributionv1.SubmitContributionRequest {
	now := time.Now().In(time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60))
	today := &typev1.PartialDate{Year: int32(now.Year()), Month: int32(now.Month()), Day: int32(now.Day())}
	place := &typev1.Address{Text: "Phường Giả Định, Hà Nội", ProvinceCode: "01", UnitsVersion: "2025"}
	registered := proto.CloneOf(place)
	registered.CommuneCode = "00001"
	coded := func(system, version, code string) *typev1.CodedValue {
		return &typev1.CodedValue{CodeSystem: system, CodeSystemVersion: version, Code: code}
	}
	return &contributionv1.SubmitContributionRequest{
		IdempotencyKey: key,
		Basis:          it.Callers["civil-status"].Basis,
		RequestId:      "live-2",
		Event: &contributionv1.SubmitContributionRequest_Birth{Birth: &contributionv1.BirthRegistration{
			EntryNumber:           entry,
			RegistrationDate:      today,
			RegistrationPlaceCode: "990",
			RegistrationPlace:     registered,
			FullName:              &typev1.PersonName{FullName: "Nguyễn Giả Định Thử Nghiệm"},
			DateOfBirth:           today,
			Sex:                   coded("sex", "1", "1"),
			PlaceOfBirth:          place,
			NativePlace:           place,
			EthnicGroup:           coded("ethnic-group", "gso-15172", "01"),
			Nationality:           coded("nationality", "iso-3166-1", "VN"),
		}},
	}
}

func refusesEveryChangedByte[A proto.Message](answered *lienthong.Answered[A]) {
	evidence := [3][]byte{answered.Request, answered.Response, []byte(it.LogKey())}
	for part, data := range evidence {
		for at := range data {
			other := evidence
			other[part] = bytes.Clone(data)
			other[part][at] ^= 1 << (at % 7)
			_, err := lienthong.Verify(other[0], other[1], string(other[2]))
			need(errors.Is(err, lienthong.ErrReceipt), "a receipt holds with byte", at, "of part", part, "changed")
		}
	}
}

func looksUp() {
	me := client("social-insurance")
	defer me.Close()
	got := answered(me.GetPerson(always, lookup("live-1")))
	need(got.Answer.Outcome == identityv1.LookupOutcome_LOOKUP_OUTCOME_MATCH, "the child is not found")
	name := got.Answer.Items[0].GetValue().Values[0].Value.GetName().FullName
	need(name == it.Subject("child").FullName, "another name")
	withheld := got.Answer.Items[2].GetWithheld()
	need(withheld.GetArticle() == "Decision 1911/QD-TTg, Art. 2(1)", "withheld without its article")
	record, err := got.Verify(it.LogKey())
	need(err == nil, err)
	need(record.Caller == it.Callers["social-insurance"].Spiffe, "another caller")
	need(record.Index == got.Receipt.Index, "another index")
	kept := answered(got.Method.FromWire(got.Request, got.Response))
	same, err := kept.Verify(it.LogKey())
	need(err == nil && same == record, "kept bytes say something else", err)
	need(!strings.Contains(fmt.Sprintf("%+v", got), it.Subject("child").PersonalNumber), "it prints the person")
	refusesEveryChangedByte(got)
}

func verifiesClaims() {
	me := client("portal")
	defer me.Close()
	person := it.Subject("adult")
	subject, claims := about(person)
	got := answered(me.VerifyClaims(always, &identityv1.VerifyClaimsRequest{
		Subject: subject, Claims: claims, Basis: it.Callers["portal"].Basis, RequestId: "live-3",
		ClaimedValues: []*identityv1.ClaimedValue{
			{Item: "date_of_birth", Value: &typev1.ItemValue{Value: &typev1.ItemValue_Date{Date: person.DateOfBirth}}},
			{Item: "religion", Value: &typev1.ItemValue{Value: &typev1.ItemValue_Text{Text: "x"}}},
		},
	}))
	results := got.Answer.Results
	need(len(results) == 2 && results[0].Outcome == identityv1.ClaimOutcome_CLAIM_OUTCOME_MATCH &&
		results[1].Outcome == identityv1.ClaimOutcome_CLAIM_OUTCOME_DENIED, "other outcomes of the claims")
	_, err := got.Verify(it.LogKey())
	need(err == nil, err)
}

func contributes() {
	me := client("civil-status")
	defer me.Close()
	entry, key := rand.Text(), rand.Text()
	first := answered(me.SubmitContribution(always, birth(entry, key)))
	need(first.Answer.State == contributionv1.ContributionState_CONTRIBUTION_STATE_APPLIED, "not applied")
	need(strings.HasPrefix(first.Answer.PersonalNumber, "990"), "no fictional number was issued")
	_, err := first.Verify(it.LogKey())
	need(err == nil, err)
	again := answered(lienthong.SubmitContribution.Call(always, me, first.Request))
	need(bytes.Equal(again.Response, first.Response), "sent again, another answer or another receipt")
	twice := refused(me.SubmitContribution(always, birth(entry, rand.Text())))
	need(twice.Code == codes.FailedPrecondition && twice.Reason == "CONTRIBUTION_REJECTED", twice)
	need(len(twice.Rejections) == 1 && twice.Rejections[0].Reason == "ALREADY_REGISTERED", twice)
	reused := refused(me.SubmitContribution(always, birth(rand.Text(), key)))
	need(reused.Code == codes.AlreadyExists && reused.Reason == "KEY_REUSED", reused)
	refusesEveryChangedByte(first)
}

func decodesRefusals() {
	former := client("former")
	defer former.Close()
	ended := refused(former.GetPerson(always, lookup("live-4")))
	need(ended.Code == codes.PermissionDenied && ended.Reason == "CONNECTION_NOT_ACTIVE", ended)
	_, recorded := ended.RecordIndex()
	need(ended.Article() == "Decree 70/2024/ND-CP, Art. 7(2)" && recorded, "no article, no record")
	need(ended.Vi == "Kết nối chưa được mở, đã tạm dừng hoặc đã chấm dứt.", ended.Vi)
	need(ended.En == "The connection is absent, suspended or ended.", ended.En)

	bad := lookup("")
	bad.Subject = &typev1.SubjectRef{Subject: &typev1.SubjectRef_PersonalNumber{PersonalNumber: "99832660362"}}
	bad.Claims.DateOfBirth.Month = 13
	bad.Items, bad.Basis = nil, nil
	me := client("social-insurance")
	defer me.Close()
	faulty := refused(me.GetPerson(always, bad))
	need(faulty.Code == codes.InvalidArgument && faulty.Reason == "INVALID_REQUEST", faulty)
	named := map[string]string{}
	for _, fault := range faulty.Fields {
		named[fault.Field] = fault.Reason
		need(fault.Vi != "" && fault.Description != "", "a fault without words")
	}
	need(maps.Equal(named, map[string]string{
		"items": "MISSING", "basis": "MISSING", "request_id": "MISSING",
		"subject.personal_number": "MALFORMED", "claims.date_of_birth": "MALFORMED",
	}), named)
	need(!strings.Contains(faulty.Error(), "99832660362"), "an error repeats a value")
}

func knowsNoStranger() {
	theirs := func(config *lienthong.Config) {
		config.Certificate, config.Key = filepath.Join(stranger, "stranger.pem"), filepath.Join(stranger, "stranger.key")
	}
	server := func(config *lienthong.Config) { config.CA = filepath.Join(stranger, "ca.pem") }
	for _, change := range []func(*lienthong.Config){theirs, server} {
		me := client("social-insurance", change)
		err := refused(me.GetPerson(always, lookup("live-5")))
		need(err.Code == codes.Unavailable && err.Reason == "", "a stranger:", err)
		me.Close()
	}
}

func keepsDeadlines() {
	me := client("social-insurance")
	defer me.Close()
	soon, cancel := context.WithTimeout(always, time.Millisecond)
	defer cancel()
	need(refused(me.GetPerson(soon, lookup("live-6"))).Code == codes.DeadlineExceeded, "1 ms")
	hasty := client("social-insurance", func(config *lienthong.Config) { config.Timeout = time.Millisecond })
	defer hasty.Close()
	need(refused(hasty.GetPerson(always, lookup("live-6"))).Code == codes.DeadlineExceeded, "1 ms by default")
}

func triesAgain() {
	me := client("social-insurance", func(config *lienthong.Config) { config.Endpoint = unwilling })
	defer me.Close()
	got := answered(me.GetPerson(always, lookup("third-time")))
	need(got.Answer.RequestId == "third-time", "no third time")
	never := refused(me.GetPerson(always, lookup("never")))
	need(never.Code == codes.Unavailable && never.Reason == "OVERLOADED" && never.Metadata["attempt"] == "5", never)
	need(never.RetryAfter == 7*time.Second, never.RetryAfter)
	malformed := refused(me.GetPerson(always, lookup("malformed")))
	need(malformed.Code == codes.Internal && malformed.Reason == "", malformed)
}

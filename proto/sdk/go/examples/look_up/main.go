package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"lienthong.gov.vn/sdk/go"
	identityv1 "lienthong.gov.vn/sdk/go/lienthong/identity/v1"
	typev1 "lienthong.gov.vn/sdk/go/lienthong/type/v1"
)

type demo struct {
	Endpoint, CA string
	ServerName   string `json:"server_name"`
	LogKey       string `json:"log_key"`
	Callers      map[string]struct {
		Certificate, Key string
		Basis            *typev1.AccessBasis
	}
	Subjects []struct {
		Kind        string
		Number      string              `json:"personal_number"`
		FullName    string              `json:"full_name"`
		DateOfBirth *typev1.PartialDate `json:"date_of_birth"`
	}
}

func main() {
	var demo demo
	must(0, json.Unmarshal(must(os.ReadFile(os.Args[1])), &demo))
	me, child := demo.Callers["social-insurance"], 0
	for demo.Subjects[child].Kind != "child" {
		child++
	}
	who := demo.Subjects[child]

	client := must(lienthong.Connect(lienthong.Config{Endpoint: demo.Endpoint, ServerName: demo.ServerName,
		CA: demo.CA, Certificate: me.Certificate, Key: me.Key}))
	defer client.Close()
	answered := must(client.GetPerson(context.Background(), &identityv1.GetPersonRequest{
		Subject: &typev1.SubjectRef{Subject: &typev1.SubjectRef_PersonalNumber{PersonalNumber: who.Number}},
		Claims:  &typev1.Claims{FullName: who.FullName, DateOfBirth: who.DateOfBirth},
		Items:   []string{"birth_full_name", "date_of_birth", "ethnic_group"},
		Basis:   me.Basis, RequestId: "example-1"}))
	for _, item := range answered.Answer.Items {
		fmt.Printf("%s %T\n", item.Item, item.Outcome)
	}
	fmt.Printf("%+v\n", must(answered.Verify(string(must(os.ReadFile(demo.LogKey))))))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

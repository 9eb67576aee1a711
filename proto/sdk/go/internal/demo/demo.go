// Package demo reads what `lienthong demo` writes.
package demo

import (
	"encoding/json"
	"os"

	typev1 "lienthong.gov.vn/sdk/go/lienthong/type/v1"
)

// Demo is demo.json.
type Demo struct {
	Endpoint, CA string
	ServerName   string            `json:"server_name"`
	LogKeyFile   string            `json:"log_key"`
	Callers      map[string]Caller `json:"callers"`
	Subjects     []Subject
}

// Caller is a caller and what it may ask for.
type Caller struct {
	Certificate, Key string
	Spiffe           string `json:"spiffe_id"`
	Basis            *typev1.AccessBasis
}

// Subject is a synthetic person.
type Subject struct {
	Kind           string
	PersonalNumber string              `json:"personal_number"`
	FullName       string              `json:"full_name"`
	DateOfBirth    *typev1.PartialDate `json:"date_of_birth"`
}

// Read reads a demo.json.
func Read(path string) Demo {
	var demo Demo
	if err := json.Unmarshal(read(path), &demo); err != nil {
		panic(err)
	}
	return demo
}

// Subject is the first of a kind.
func (d Demo) Subject(kind string) Subject {
	for _, subject := range d.Subjects {
		if subject.Kind == kind {
			return subject
		}
	}
	panic("there is no " + kind)
}

// LogKey is the key of the demonstration's log.
func (d Demo) LogKey() string { return string(read(d.LogKeyFile)) }

func read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
}

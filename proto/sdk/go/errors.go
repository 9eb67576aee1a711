package lienthong

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Domain is that of the reasons.
const Domain = "lienthong.gov.vn"

// Refused is a call that was not answered. Programs act on Code and Reason, people read Vi or En. It holds
// nothing of the request.
type Refused struct {
	Code codes.Code
	// A name of ErrorReason without its prefix; empty where the error is none of the service: no connection, a
	// deadline that passed here, a proxy between.
	Reason   string
	Vi, En   string
	Metadata map[string]string
	// What is wrong with the request, all at once.
	Fields []FieldFault
	// Why the register rejected a contribution.
	Rejections []Rejection
	// When to come again; 0 where it was not said.
	RetryAfter time.Duration

	status *status.Status
}

// FieldFault is what is wrong with one field; Reason is a name of FieldFault without its prefix.
type FieldFault struct{ Field, Reason, Vi, Description string }

// Rejection is why the register rejected a contribution: Reason is a name of RejectionReason without its prefix,
// Subject the item, or empty where the whole is meant.
type Rejection struct{ Reason, Subject, Description string }

// Error is for people; it names faults and no values.
func (r *Refused) Error() string {
	text := r.Code.String()
	if r.Reason != "" {
		text += " " + r.Reason
	}
	text += ": "
	if r.Vi != "" {
		text += r.Vi + " / "
	}
	text += r.En
	var faults []string
	for _, fault := range r.Fields {
		faults = append(faults, fault.Field+" "+fault.Reason)
	}
	for _, rejection := range r.Rejections {
		faults = append(faults, strings.TrimLeft(rejection.Subject+" "+rejection.Reason, " "))
	}
	if faults != nil {
		text += fmt.Sprintf(" (%s)", strings.Join(faults, ", "))
	}
	return text
}

// GRPCStatus is for status.FromError.
func (r *Refused) GRPCStatus() *status.Status { return r.status }

// RecordIndex is where the refusal is recorded in the access log, if it is.
func (r *Refused) RecordIndex() (index uint64, recorded bool) {
	index, err := strconv.ParseUint(r.Metadata["record_index"], 10, 64)
	return index, err == nil
}

// Rule is the rule that refused, if one did.
func (r *Refused) Rule() string { return r.Metadata["rule"] }

// Article is the article that the refusal rests on, as cited, if it rests on one.
func (r *Refused) Article() string { return r.Metadata["article"] }

func refused(err error) *Refused {
	from := status.Convert(err)
	r := &Refused{Code: from.Code(), En: from.Message(), status: from}
	for _, detail := range from.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain == Domain {
				r.Reason, r.Metadata = detail.Reason, detail.Metadata
			}
		case *errdetails.LocalizedMessage:
			if detail.Locale == "vi-VN" {
				r.Vi = detail.Message
			}
		case *errdetails.BadRequest:
			for _, v := range detail.FieldViolations {
				r.Fields = append(r.Fields, FieldFault{v.Field, v.Reason, v.LocalizedMessage.GetMessage(), v.Description})
			}
		case *errdetails.PreconditionFailure:
			for _, v := range detail.Violations {
				r.Rejections = append(r.Rejections, Rejection{v.Type, v.Subject, v.Description})
			}
		case *errdetails.RetryInfo:
			r.RetryAfter = detail.RetryDelay.AsDuration()
		}
	}
	if r.RetryAfter == 0 {
		if seconds, err := strconv.ParseUint(r.Metadata["retry_after_seconds"], 10, 32); err == nil {
			r.RetryAfter = time.Duration(seconds) * time.Second
		}
	}
	return r
}

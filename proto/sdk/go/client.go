// Package lienthong is a client of the published services of lienthong: mutual TLS, deadlines, the published
// retries, refusals as values, and receipts that can be checked.
package lienthong

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	auditv1 "lienthong.gov.vn/sdk/go/lienthong/audit/v1"
	contributionv1 "lienthong.gov.vn/sdk/go/lienthong/contribution/v1"
	identityv1 "lienthong.gov.vn/sdk/go/lienthong/identity/v1"
)

// The published one; proto/sdk/run holds it equal.
//
//go:embed service_config.json
var serviceConfig string

const defaultTimeout = 30 * time.Second

// Config says whom to connect to and as whom; files are PEM.
type Config struct {
	Endpoint             string
	CA, Certificate, Key string
	// The name in the server's certificate, where it is not that of the endpoint.
	ServerName string
	// The deadline of a call whose context has none, with all attempts; 30 seconds when 0.
	Timeout time.Duration
}

// Client is a connection to the published services as one caller. It may be used by many goroutines.
type Client struct {
	// Conn is for the generated stubs: whatever is not here.
	Conn    *grpc.ClientConn
	timeout time.Duration
}

// Connect prepares a connection; it is made with the first call.
func Connect(config Config) (*Client, error) {
	pair, err := tls.LoadX509KeyPair(config.Certificate, config.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	pem, err := os.ReadFile(config.CA)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("CA: there is no certificate in it")
	}
	security := credentials.NewTLS(&tls.Config{
		MinVersion:   tls.VersionTLS13,
		RootCAs:      roots,
		Certificates: []tls.Certificate{pair},
		ServerName:   config.ServerName,
	})
	conn, err := grpc.NewClient(config.Endpoint,
		grpc.WithTransportCredentials(security), grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		return nil, err
	}
	timeout := config.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return &Client{Conn: conn, timeout: timeout}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.Conn.Close() }

// Method is a method whose response is `{ answer = 1; receipt = 2 }`; A is the answer.
type Method[A proto.Message] string

// The methods of the published services.
const (
	GetPerson          = Method[*identityv1.GetPersonAnswer](identityv1.IdentityService_GetPerson_FullMethodName)
	VerifyClaims       = Method[*identityv1.VerifyClaimsAnswer](identityv1.IdentityService_VerifyClaims_FullMethodName)
	SubmitContribution = Method[*contributionv1.ContributionReceipt](contributionv1.ContributionService_SubmitContribution_FullMethodName)
)

// Answered is a call that was answered. Keep Request and Response: they are the exact bytes that the receipt
// proves, and the same messages serialised again may be others. They hold personal data.
type Answered[A proto.Message] struct {
	Method            Method[A]
	Request, Response []byte
	Answer            A
	Receipt           *auditv1.Receipt
}

// FromWire is for bytes that were kept.
func (m Method[A]) FromWire(request, response []byte) (*Answered[A], error) {
	sealed, receipt, err := open(response)
	if err != nil {
		return nil, err
	}
	var none A
	answer := none.ProtoReflect().New().Interface().(A)
	if err := proto.Unmarshal(sealed.Answer, answer); err != nil {
		return nil, errors.New("the answer is malformed")
	}
	return &Answered[A]{m, request, response, answer, receipt}, nil
}

// Verify checks the receipt offline, against the key of the log. An error is an ErrReceipt.
func (a *Answered[A]) Verify(logKey string) (Record, error) {
	record, err := Verify(a.Request, a.Response, logKey)
	if err == nil && record.Method != string(a.Method) {
		return Record{}, fails("the record is of another method")
	}
	return record, err
}

// String says nothing of the person.
func (a Answered[A]) String() string {
	return fmt.Sprintf("<answer of %s, record %d>", string(a.Method), a.Receipt.GetIndex())
}

// GoString says nothing of the person.
func (a Answered[A]) GoString() string { return a.String() }

// GetPerson looks a person up. An error is a *Refused.
func (c *Client) GetPerson(ctx context.Context, request *identityv1.GetPersonRequest) (*Answered[*identityv1.GetPersonAnswer], error) {
	return send(ctx, c, GetPerson, request)
}

// VerifyClaims holds claimed values against the register. An error is a *Refused.
func (c *Client) VerifyClaims(ctx context.Context, request *identityv1.VerifyClaimsRequest) (*Answered[*identityv1.VerifyClaimsAnswer], error) {
	return send(ctx, c, VerifyClaims, request)
}

// SubmitContribution submits one event. To be able to repeat it, keep what proto.Marshal makes of it, and use
// Call. An error is a *Refused.
func (c *Client) SubmitContribution(ctx context.Context, request *contributionv1.SubmitContributionRequest) (*Answered[*contributionv1.ContributionReceipt], error) {
	return send(ctx, c, SubmitContribution, request)
}

func send[A proto.Message](ctx context.Context, c *Client, method Method[A], message proto.Message) (*Answered[A], error) {
	request, err := proto.Marshal(message)
	if err != nil {
		return nil, refused(status.Error(codes.Internal, "the request cannot be serialised: a text is not UTF-8"))
	}
	return method.Call(ctx, c, request)
}

// Call sends exactly these bytes. An error is a *Refused.
func (m Method[A]) Call(ctx context.Context, c *Client, request []byte) (*Answered[A], error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	var response []byte
	if err := c.Conn.Invoke(ctx, string(m), request, &response, grpc.ForceCodecV2(bytesCodec{})); err != nil {
		return nil, refused(err)
	}
	answered, err := m.FromWire(request, response)
	if err != nil {
		return nil, refused(status.Error(codes.Internal, "the response is malformed"))
	}
	return answered, nil
}

// Bytes in, bytes out: a receipt proves bytes.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(message any) (mem.BufferSlice, error) {
	bytes, ok := message.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T are no bytes", message)
	}
	return mem.BufferSlice{mem.SliceBuffer(bytes)}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, message any) error {
	bytes, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("%T takes no bytes", message)
	}
	*bytes = data.Materialize()
	return nil
}

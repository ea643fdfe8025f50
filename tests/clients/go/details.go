// Calls methods with messages as they are and prints how each call failed, with the details that errdetails knows, in the form of
// tests/scenario/test_grpc_errors.py.
//
// usage: details ADDRESS < [{"method": "/a.B/C", "message": BASE64}]
// stdout: [{"code": 8, "message": "...", "ErrorInfo": {...}, "RetryInfo": ms, "BadRequest": [field], "QuotaFailure": [subject]}]
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type job struct {
	Method  string `json:"method"`
	Message []byte `json:"message"`
}

type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}
func (raw) Name() string { return "proto" }

func told(err error) map[string]any {
	s := status.Convert(err)
	out := map[string]any{"code": int(s.Code()), "message": s.Message()}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			out["ErrorInfo"] = map[string]any{"reason": d.Reason, "domain": d.Domain, "metadata": d.Metadata}
		case *errdetails.RetryInfo:
			out["RetryInfo"] = d.RetryDelay.AsDuration().Milliseconds()
		case *errdetails.BadRequest:
			out["BadRequest"] = []string{d.FieldViolations[0].Field}
		case *errdetails.QuotaFailure:
			out["QuotaFailure"] = []string{d.Violations[0].Subject}
		}
	}
	return out
}

func main() {
	var jobs []job
	var results []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil {
		panic(err)
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	for _, j := range jobs {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		var reply []byte
		results = append(results, told(connection.Invoke(ctx, j.Method, &j.Message, &reply, grpc.ForceCodec(raw{}))))
		cancel()
	}
	json.NewEncoder(os.Stdout).Encode(results)
}

// remora.v1.ChatService from Go: unary, a stream with its fallback, typed error details, a deadline, cancelling.
//
//	make stubs LANGUAGES=go
//	go -C examples/grpc/go run . 127.0.0.1:7361
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	remorav1 "remora.dev/gen/go/remora/v1"
)

// security is TLS with the CA of REMORA_CA, where the gateway is not a sidecar.
func security() (credentials.TransportCredentials, error) {
	if ca := os.Getenv("REMORA_CA"); ca != "" {
		return credentials.NewClientTLSFromFile(ca, "")
	}
	return insecure.NewCredentials(), nil
}

func connect(address string) (*grpc.ClientConn, error) {
	security, err := security()
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(security),
		grpc.WithDisableRetry(), // the gateway asks other providers; a second call would be a second answer to pay for
		grpc.WithDefaultCallOptions(
			grpc.WaitForReady(true),          // a sidecar may start after the service
			grpc.MaxCallRecvMsgSize(32<<20)), // answers may hold pictures; the default is 4 MiB
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second}),
	)
}

// within is a context with a deadline and, where the gateway has keys, ours.
func within(limit time.Duration) (context.Context, context.CancelFunc) {
	ctx := context.Background()
	if key := os.Getenv("REMORA_API_KEY"); key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	return context.WithTimeout(ctx, limit)
}

func question(model string) *remorav1.ChatRequest {
	text := &remorav1.ContentPart{Kind: &remorav1.ContentPart_Text{Text: "Say hello."}}
	user := &remorav1.Message{Role: remorav1.Role_ROLE_USER, Parts: []*remorav1.ContentPart{text}}
	return &remorav1.ChatRequest{Model: model, Messages: []*remorav1.Message{user}}
}

func unary(chat remorav1.ChatServiceClient) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	answer, err := chat.Chat(ctx, question("demo/echo-1"))
	if err != nil {
		return err
	}
	fmt.Println("unary:", answer.GetChoices()[0].GetMessage().GetParts()[0].GetText())
	return nil
}

// follow calls f with each event until the stream or f ends.
func follow(ctx context.Context, chat remorav1.ChatServiceClient, f func(*remorav1.StreamChatResponse) error) error {
	stream, err := chat.StreamChat(ctx, &remorav1.StreamChatRequest{Chat: question("demo/echo-1")})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(event)
		}
		if err != nil {
			return err
		}
	}
}

func stream(chat remorav1.ChatServiceClient) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	fmt.Print("stream: ")
	return follow(ctx, chat, func(event *remorav1.StreamChatResponse) error {
		switch e := event.GetEvent().(type) {
		case *remorav1.StreamChatResponse_Text:
			fmt.Print(e.Text.GetText())
		case *remorav1.StreamChatResponse_Completed: // without it the text is not whole
			var route []string
			for _, attempt := range e.Completed.GetRoute().GetAttempts() {
				outcome := attempt.GetReason()
				if outcome == "" {
					outcome = "answered"
				}
				route = append(route, attempt.GetProvider()+" "+outcome)
			}
			fmt.Println("\nroute:", strings.Join(route, ", "))
		}
		return nil
	})
}

func refused(chat remorav1.ChatServiceClient) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	_, err := chat.Chat(ctx, question("nobody/has-this"))
	var reason, field string
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = d.GetReason()
		case *errdetails.BadRequest:
			field = d.GetFieldViolations()[0].GetField()
		}
	}
	fmt.Println("refused:", status.Code(err), reason, "in", field)
	return nil
}

func deadline(chat remorav1.ChatServiceClient) error {
	ctx, cancel := within(200 * time.Millisecond)
	defer cancel()
	err := follow(ctx, chat, func(*remorav1.StreamChatResponse) error { return nil })
	fmt.Println("deadline:", status.Code(err))
	return nil
}

func cancelled(chat remorav1.ChatServiceClient) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	err := follow(ctx, chat, func(event *remorav1.StreamChatResponse) error {
		if text := event.GetText().GetText(); text != "" && ctx.Err() == nil {
			fmt.Printf("cancelled: after '%s'\n", text)
			cancel() // the gateway gives up its request to the provider
		}
		return nil
	})
	if status.Code(err) != codes.Canceled {
		return err
	}
	return nil
}

func main() {
	address := "127.0.0.1:7361"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	connection, err := connect(address)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	chat := remorav1.NewChatServiceClient(connection)
	for _, show := range []func(remorav1.ChatServiceClient) error{unary, stream, refused, deadline, cancelled} {
		if err := show(chat); err != nil {
			log.Fatal(err)
		}
	}
}

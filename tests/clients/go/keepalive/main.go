// Holds two connections with the smallest keepalive that grpc-go takes, one with an open stream and one without a call, and says what
// became of them.
//
// usage: keepalive ADDRESS SECONDS < StreamChatRequest, packed
// stdout: {"idle": "READY", "stream": ""}: the state that the idle connection left for, if it did; the stream's end, if it ended
package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

func connect(address string) *grpc.ClientConn {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Second, Timeout: 20 * time.Second, PermitWithoutStream: true}))
	if err != nil {
		panic(err)
	}
	return connection
}

func idle(ctx context.Context, address string) string {
	connection := connect(address)
	request, reply := []byte{}, []byte{}
	if err := connection.Invoke(ctx, "/remora.v1.ModelService/ListModels", &request, &reply); err != nil {
		return err.Error()
	}
	connection.WaitForStateChange(ctx, connectivity.Ready)
	return connection.GetState().String()
}

func stream(ctx context.Context, address string, request []byte) string {
	description := grpc.StreamDesc{ServerStreams: true}
	call, err := connect(address).NewStream(ctx, &description, "/remora.v1.ChatService/StreamChat")
	if err == nil {
		err = call.SendMsg(&request)
	}
	if err == nil {
		err = call.CloseSend()
	}
	for err == nil {
		var event []byte
		err = call.RecvMsg(&event)
	}
	if ctx.Err() != nil {
		return ""
	}
	return err.Error()
}

func main() {
	seconds, _ := strconv.Atoi(os.Args[2])
	request, _ := io.ReadAll(os.Stdin)
	ctx, cancel := context.WithCancel(context.Background()) // no deadline: the gateway would keep it
	time.AfterFunc(time.Duration(seconds)*time.Second, cancel)
	told := make(chan string)
	go func() { told <- stream(ctx, os.Args[1], request) }()
	idle := idle(ctx, os.Args[1])
	json.NewEncoder(os.Stdout).Encode(map[string]string{"idle": idle, "stream": <-told})
}

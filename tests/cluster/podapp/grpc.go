// Chat and StreamChat of remora.v1.ChatService, over HTTP/2 without TLS. The transport is net/http's: like every gRPC client it
// begins no call on a connection that said GOAWAY, and repeats by itself only what the server said it did not take. Messages are
// written by hand (protobuf.dev "Encoding", gRPC "PROTOCOL-HTTP2"): podapp has no dependency.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	roleUser = 3
	// What no call takes: a gateway that neither answers nor ends.
	callTimeout = time.Minute
)

// field is one length-delimited field of a protobuf message.
func field(number int, content []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(number)<<3|2)
	out = binary.AppendUvarint(out, uint64(len(content)))
	return append(out, content...)
}

// chatRequest is a ChatRequest: the model and one message of the user with one part of text.
func chatRequest(model string) []byte {
	part := field(1, []byte("hello"))
	message := append([]byte{1 << 3, roleUser}, field(2, part)...)
	return append(field(1, []byte(model)), field(3, message)...)
}

// frames counts the messages of a body.
func frames(body io.Reader) (int, error) {
	var head [5]byte
	for count := 0; ; count++ {
		if _, err := io.ReadFull(body, head[:]); err == io.EOF {
			return count, nil
		} else if err != nil {
			return count, err
		}
		if _, err := io.CopyN(io.Discard, body, int64(binary.BigEndian.Uint32(head[1:]))); err != nil {
			return count, err
		}
	}
}

// invoke makes one call and returns how many messages came; a status other than OK is an error.
func (c *client) invoke(ctx context.Context, method string, message []byte) (int, error) {
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/remora.v1.ChatService/"+method, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Authorization": {"Bearer " + c.key}}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	count, err := frames(response.Body)
	if err != nil {
		return count, err
	}
	said := response.Trailer
	if response.Header.Get("Grpc-Status") != "" {
		said = response.Header
	}
	if said.Get("Grpc-Status") != "0" {
		return count, fmt.Errorf("%s: status %q: %s", method, said.Get("Grpc-Status"), said.Get("Grpc-Message"))
	}
	return count, nil
}

func (c *client) grpcChat(ctx context.Context) (string, error) {
	count, err := c.invoke(ctx, "Chat", chatRequest(c.model))
	if err == nil && count != 1 {
		err = errors.New("not one message")
	}
	return "answered", err
}

// grpcStreamed ends in `completed`, which the status OK vouches for. Deltas may be merged, so their number says little.
func (c *client) grpcStreamed(ctx context.Context) (string, error) {
	count, err := c.invoke(ctx, "StreamChat", field(1, chatRequest(c.model)))
	if err == nil && count < 3 {
		err = fmt.Errorf("%d messages", count)
	}
	return "streamed", err
}

// The application in the pod.
//
// It calls URL/v1/chat/completions (with -grpc the gRPC API, see grpc.go), -rate times a second, until -count calls are done or SIGTERM arrives, and prints each
// failure, what changed in the answers (text, status) and, at the end, how many calls of each kind there were. A call that
// fails is a failed request. Connections that were idle for 4 s are given up, as undici does (httpx: 5 s): a gateway closes
// them 5 s after its SIGTERM, and what meets that close cannot be repeated, being a POST. The events:
//
//	start            the process runs: its first call follows at once
//	first            the first call ended: ok or not
//	fail             a call that failed: error, and what its connection had seen: see trace
//	answer           the text of the answers changed: text
//	sigterm          SIGTERM; with -linger-ms calls go on for so long
//	stream           with -stream-at-term: a stream that was begun before SIGTERM ended: ok, chunks
//	exit             ok, failed
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"time"
)

type client struct {
	url, model, key string
	streams, isGrpc bool
	http            http.Client
	mutex           sync.Mutex // guards what follows
	ok, failed      int
	lastText        string
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type answer struct {
	Choices []struct {
		Message message
		Delta   message
	}
}

// trace is what one call met: from which address, on a connection that others had used and for how long it had been idle, and
// after how many ms the request was written and the answer began. What a gateway's log and a capture of the network are held to.
type trace struct {
	mutex  sync.Mutex // the transport writes when it likes
	begun  time.Time
	fields map[string]any
}

func newTrace() *trace {
	return &trace{begun: time.Now(), fields: map[string]any{}}
}

func (t *trace) set(name string, value any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.fields[name] = value
}

func (t *trace) at(name string) {
	t.set(name, time.Since(t.begun).Milliseconds())
}

func (t *trace) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			t.at("connected_ms")
			t.set("from", got.Conn.LocalAddr().String())
			t.set("reused", got.Reused)
			t.set("idle_ms", got.IdleTime.Milliseconds())
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.at("wrote_ms") },
		GotFirstResponseByte: func() { t.at("answered_ms") },
	})
}

// failed is everything about a call that failed.
func (t *trace) failed(err error) map[string]any {
	t.at("failed_ms")
	t.mutex.Lock()
	defer t.mutex.Unlock()
	fields := maps.Clone(t.fields)
	fields["error"] = err.Error()
	return fields
}

func (c *client) post(ctx context.Context, stream bool, model string) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"model": model, "stream": stream, "messages": []message{{"user", "hello"}}})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/chat/completions", strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		response.Body.Close()
		return nil, fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	return response, nil
}

// chat makes one unary call and returns the text of its answer.
func (c *client) chat(ctx context.Context) (string, error) {
	response, err := c.post(ctx, false, c.model)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var got answer
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return "", err
	}
	io.Copy(io.Discard, response.Body)
	if len(got.Choices) != 1 {
		return "", errors.New("no choice in the answer")
	}
	return got.Choices[0].Message.Content, nil
}

// stream reads one stream to its [DONE] and returns the number of its chunks with text.
func (c *client) stream(ctx context.Context, model string, begun func()) (int, error) {
	response, err := c.post(ctx, true, model)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	chunks := 0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		if data == "[DONE]" {
			return chunks, nil
		}
		var got answer
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			return chunks, err
		}
		if len(got.Choices) == 1 && got.Choices[0].Delta.Content != "" {
			if chunks++; chunks == 1 {
				begun()
			}
		}
	}
	return chunks, errors.New("the stream ended without [DONE]")
}

// streamed makes one call that streams; its text says how long the stream was.
func (c *client) streamed(ctx context.Context) (string, error) {
	chunks, err := c.stream(ctx, c.model, func() {})
	return fmt.Sprintf("%d chunks", chunks), err
}

func (c *client) one() error {
	call := c.chat
	switch {
	case c.isGrpc && c.streams:
		call = c.grpcStreamed
	case c.isGrpc:
		call = c.grpcChat
	case c.streams:
		call = c.streamed
	}
	met := newTrace()
	text, err := call(met.follow(context.Background()))
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err != nil {
		c.failed++
		say("fail", met.failed(err))
		return err
	}
	c.ok++
	if text != c.lastText {
		c.lastText = text
		say("answer", map[string]any{"text": text})
	}
	return nil
}

// calls makes calls at a rate, each on time whether the one before has ended or not, until the count or the end.
func (c *client) calls(rate float64, count int, end <-chan struct{}) {
	var running sync.WaitGroup
	defer running.Wait()
	pace := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer pace.Stop()
	for n := 0; count == 0 || n < count; n++ {
		running.Go(func() { c.one() })
		select {
		case <-end:
			return
		case <-pace.C:
		}
	}
}

// longStream is the stream that is under way when SIGTERM arrives.
func (c *client) longStream(model string) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		chunks, err := c.stream(context.Background(), model, func() { say("stream begun", nil) })
		fields := map[string]any{"ok": err == nil, "chunks": chunks}
		if err != nil {
			fields["error"] = err.Error()
			c.failed++
		}
		say("stream", fields)
	}()
	return done
}

func readKey(path string) string {
	if path == "" {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}

func runClient(arguments []string) int {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	url := flags.String("url", "http://127.0.0.1:7360", "where Remora listens")
	model := flags.String("model", "test/echo", "model of the calls")
	keyFile := flags.String("key-file", "", "file with the gateway key")
	rate := flags.Float64("rate", 1, "calls a second")
	count := flags.Int("count", 0, "how many calls; 0: until SIGTERM")
	lingerMs := flags.Int("linger-ms", 0, "how long calls go on after SIGTERM")
	streamModel := flags.String("stream-at-term", "", "model of a stream that is begun at start and read to its end")
	streams := flags.Bool("stream", false, "calls are streams")
	reuse := flags.Bool("reuse", true, "reuse connections")
	isGrpc := flags.Bool("grpc", false, "calls are gRPC, all on one connection")
	flags.Parse(arguments)

	term := stopped()
	say("start", nil)
	transport := &http.Transport{DisableKeepAlives: !*reuse, MaxIdleConnsPerHost: 100, IdleConnTimeout: 4 * time.Second}
	if *isGrpc {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	c := &client{url: *url, model: *model, key: readKey(*keyFile), streams: *streams, isGrpc: *isGrpc,
		http: http.Client{Timeout: time.Minute, Transport: transport}}
	err := c.one()
	say("first", map[string]any{"ok": err == nil})
	end := make(chan struct{})
	go func() {
		<-term
		say("sigterm", nil)
		time.Sleep(time.Duration(*lingerMs) * time.Millisecond)
		close(end)
	}()
	streamed := make(<-chan struct{})
	if *streamModel != "" {
		streamed = c.longStream(*streamModel)
	}
	c.calls(*rate, *count, end)
	if *streamModel != "" {
		<-streamed
	}
	say("exit", map[string]any{"ok": c.ok, "failed": c.failed})
	if c.failed > 0 {
		return 1
	}
	return 0
}

// An OpenAI-compatible provider for the cluster: knows which keys it accepts and counts who called with which.
//
//	POST /v1/chat/completions   the text is the model's id; a model "stream-N-MS" sends N chunks, MS milliseconds apart
//	POST /__keys                body: the keys accepted from now on, by spaces; empty: any
//	GET  /__stats               {"by_key": {KEY: calls}, "refused": calls}
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

type provider struct {
	mutex   sync.Mutex // guards what follows
	accepts []string
	byKey   map[string]int
	refused int
}

// admit counts a call and says whether its key is accepted.
func (p *provider) admit(key string) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	known := len(p.accepts) == 0
	for _, one := range p.accepts {
		known = known || one == key
	}
	if known {
		p.byKey[key]++
	} else {
		p.refused++
	}
	return known
}

func (p *provider) setKeys(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.accepts = strings.Fields(string(body))
}

func (p *provider) stats(w http.ResponseWriter, _ *http.Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	json.NewEncoder(w).Encode(map[string]any{"by_key": p.byKey, "refused": p.refused})
}

func stream(w http.ResponseWriter, model string) {
	chunks, gapMs := 3, 10
	fmt.Sscanf(model, "stream-%d-%d", &chunks, &gapMs)
	w.Header().Set("Content-Type", "text/event-stream")
	line := func(delta, finish string) {
		fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":%q,"choices":[{"index":0,`+
			`"delta":{%s},"finish_reason":%s}]}`+"\n\n", model, delta, finish)
		w.(http.Flusher).Flush()
	}
	for n := range chunks {
		line(fmt.Sprintf(`"content":"w%d "`, n), "null")
		time.Sleep(time.Duration(gapMs) * time.Millisecond)
	}
	line("", `"stop"`)
	io.WriteString(w, "data: [DONE]\n\n")
}

func (p *provider) complete(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Model  string
		Stream bool
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !p.admit(key) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`)
		return
	}
	if asked.Stream {
		stream(w, asked.Model)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,"message":{"role":"assistant",`+
		`"content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`,
		asked.Model, asked.Model)
}

func runProvider(arguments []string) int {
	flags := flag.NewFlagSet("provider", flag.ExitOnError)
	address := flags.String("listen", ":9000", "address")
	flags.Parse(arguments)
	p := &provider{byKey: map[string]int{}}
	http.HandleFunc("POST /v1/chat/completions", p.complete)
	http.HandleFunc("POST /__keys", p.setKeys)
	http.HandleFunc("GET /__stats", p.stats)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: *address}
	go func() {
		<-stopped()
		server.Close()
	}()
	say("listening", map[string]any{"address": *address})
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		say("failed", map[string]any{"error": err.Error()})
		return 1
	}
	return 0
}

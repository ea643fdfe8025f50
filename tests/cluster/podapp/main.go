// Podapp is every program that the cluster tests put into a pod besides Remora, in one static binary.
//
//	podapp pause                      the pod sandbox, and pid 1 of the test node: reap children, leave on SIGTERM
//	podapp client [flags]             an application that calls its sidecar (or the gateway), see client.go
//	podapp provider [flags]           an OpenAI-compatible provider that looks at keys, see provider.go
//	podapp get URL | post URL BODY    one HTTP call, the answer on standard output
//	podapp stop                       SIGTERM to pid 1 of the container, which is how a test ends a client without its pod
//
// Clients and providers print one JSON object a line: {"at_ms": unix time, "event": ..., ...}. Nothing here is Remora's code.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

var printing sync.Mutex

// say prints one event with its wall clock time.
func say(event string, fields map[string]any) {
	line := map[string]any{"at_ms": time.Now().UnixMilli(), "event": event}
	for name, value := range fields {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

// stopped is closed on SIGTERM or SIGINT.
func stopped() <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		<-signals
		close(done)
	}()
	return done
}

func pause() {
	children := make(chan os.Signal, 16)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			for {
				pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
				if pid <= 0 || err != nil {
					break
				}
			}
		}
	}()
	<-stopped()
}

func call(method, url, body string) int {
	client := http.Client{Timeout: 10 * time.Second}
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	answer, err := client.Do(request)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, answer.Status, err)
		return 1
	}
	return 0
}

func main() {
	arguments := append(os.Args[1:], "", "", "")
	switch arguments[0] {
	case "pause":
		pause()
	case "client":
		os.Exit(runClient(os.Args[2:]))
	case "provider":
		os.Exit(runProvider(os.Args[2:]))
	case "get":
		os.Exit(call(http.MethodGet, arguments[1], ""))
	case "post":
		os.Exit(call(http.MethodPost, arguments[1], arguments[2]))
	case "stop":
		if err := syscall.Kill(1, syscall.SIGTERM); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: podapp pause|client|provider|get|post|stop")
		os.Exit(2)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Shakes hands with every target and verifies it, 300 at once, as a scanner
// written in Go does: handshake TARGETS ROOTS.pem SERVERNAME; one line for each.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const atOnce = 300

type result struct {
	Target  string `json:"target"`
	Version uint16 `json:"version"`
	Sent    int    `json:"sent"`
	Trouble string `json:"trouble,omitempty"`
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "handshake:", err)
		os.Exit(1)
	}
}

func shake(target string, config *tls.Config) result {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := tls.DialWithDialer(&dialer, "tcp", target, config)
	if err != nil {
		return result{Target: target, Trouble: err.Error()}
	}
	defer conn.Close()
	state := conn.ConnectionState()
	return result{Target: target, Version: state.Version,
		Sent: len(state.PeerCertificates)}
}

func main() {
	pem, err := os.ReadFile(os.Args[2])
	fatal(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots, ServerName: os.Args[3]}
	file, err := os.Open(os.Args[1])
	fatal(err)
	targets := make(chan string, atOnce)
	results := make(chan result, atOnce)
	var workers sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for t := range targets {
				results <- shake(t, config)
			}
		}()
	}
	go func() {
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			targets <- lines.Text()
		}
		close(targets)
		workers.Wait()
		close(results)
	}()
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for r := range results {
		fatal(encoder.Encode(r))
	}
	fatal(out.Flush())
}

// SPDX-License-Identifier: Apache-2.0

// Verifies one leaf with Go's crypto/x509, many times, and prints the median
// in microseconds: gopeer LEAF.pem INTERMEDIATES.pem ROOTS.pem UNIX-TIME HOST
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"
)

const rounds = 301

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "gopeer:", err)
		os.Exit(1)
	}
}

func read(path string) []*x509.Certificate {
	var certs []*x509.Certificate
	rest, err := os.ReadFile(path)
	fatal(err)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return certs
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		fatal(err)
		certs = append(certs, cert)
	}
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, cert := range certs {
		p.AddCert(cert)
	}
	return p
}

func main() {
	leaf := read(os.Args[1])[0]
	at, err := strconv.ParseInt(os.Args[4], 10, 64)
	fatal(err)
	options := x509.VerifyOptions{
		Intermediates: pool(read(os.Args[2])),
		Roots:         pool(read(os.Args[3])),
		CurrentTime:   time.Unix(at, 0),
		DNSName:       os.Args[5],
	}
	var spent []float64
	for i := 0; i < rounds; i++ {
		start := time.Now()
		_, err := leaf.Verify(options)
		spent = append(spent, float64(time.Since(start).Nanoseconds())/1e3)
		fatal(err)
	}
	sort.Float64s(spent)
	fmt.Printf("%.1f\n", spent[rounds/2])
}

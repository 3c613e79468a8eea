package docker

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

func TestDoSendsAndReadsJSONOverAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		json.NewDecoder(r.Body).Decode(&in)
		if r.URL.Path == "/gone" {
			http.Error(w, `{"message":"no such thing"}`, 404)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"Said": in["say"] + " " + r.Method})
	})}
	go server.Serve(listener)
	defer server.Close()

	var out struct{ Said string }
	if err := Unix(path).Do("POST", "/x", map[string]string{"say": "hello"}, &out); err != nil || out.Said != "hello POST" {
		t.Fatal(err, out)
	}
	if err := Unix(path).Do("GET", "/gone", nil, nil); !NotFound(err) || err.Error() != "no such thing" {
		t.Fatal(err)
	}
}

func TestTLSIsVerifiedByTheCAAlone(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for _, c := range []struct {
		o    Options
		good bool
	}{{Options{}, false}, {Options{Insecure: true}, true}, {Options{CA: ca}, true}} {
		c.o.URL, c.o.Token = server.URL, "secret"
		client, err := New(c.o)
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		if err := client.Do("GET", "/", nil, &text); (err == nil) != c.good || c.good && string(text) != "Bearer secret" {
			t.Fatal(c.good, err, string(text))
		}
	}
	if _, err := New(Options{URL: server.URL, CA: []byte("no PEM")}); err == nil {
		t.Fatal("a CA without a certificate is taken")
	}
}

func TestHijackGivesARawStreamBothWays(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, _ := w.(http.Hijacker).Hijack()
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		text, _ := io.ReadAll(buffered)
		conn.Write(append([]byte{1, 0, 0, 0, 0, 0, 0, byte(len(text))}, text...))
		conn.Write([]byte{2, 0, 0, 0, 0, 0, 0, 1, '!'})
	}))
	defer server.Close()
	client, _ := New(Options{URL: server.URL})
	conn, err := client.Hijack("POST", "/attach", nil)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "input")
	conn.CloseWrite()
	var out, bad bytes.Buffer
	if err := Split(&out, &bad, conn.Reader); err != nil || out.String() != "input" || bad.String() != "!" {
		t.Fatal(err, out.String(), bad.String())
	}
}

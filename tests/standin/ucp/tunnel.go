package ucp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
)

// upgrades tells a call that ends in a raw stream: attach, or an exec's start.
func upgrades(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "tcp") }

// tunnel passes such a call on over a connection of its own. Each direction ends by itself: a client without input closes its half at
// once, and the output is still to come.
func tunnel(w http.ResponseWriter, r *http.Request, path string, dial func() (net.Conn, error)) {
	back, err := dial()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer back.Close()
	out := r.Clone(r.Context())
	out.URL.Path, out.URL.RawPath, out.RequestURI = path, "", ""
	out.URL.Scheme, out.URL.Host, out.Host = "http", "docker", "docker"
	if err := out.Write(back); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		refuse(w, http.StatusInternalServerError, "the connection cannot be upgraded")
		return
	}
	front, from, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer front.Close()
	go stream(back, from.Reader)
	stream(front, bufio.NewReader(back))
}

// stream copies to the end, and closes that half.
func stream(to net.Conn, from io.Reader) {
	io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

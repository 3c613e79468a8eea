package ucp

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"time"

	"standin/internal/certs"
	"standin/internal/logs"
)

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// toEngine forwards to the engine whose socket is mounted.
func toEngine() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", socket)
		}},
		FlushInterval: -1,
		Director:      func(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", "docker" },
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, http.StatusBadGateway, err.Error()) },
	}
}

// engineAPI is the same with raw streams.
func engineAPI() http.Handler {
	plain := toEngine()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if upgrades(r) {
			tunnel(w, r, r.URL.Path, func() (net.Conn, error) { return net.DialTimeout("unix", socket, patience) })
			return
		}
		plain.ServeHTTP(w, r)
	})
}

// Upgraded connections need HTTP/1.1.
var noHTTP2 = map[string]func(*http.Server, *tls.Conn, http.Handler){}

// proxy is the container: the engine's API for whoever has a certificate of the cluster.
func proxy([]string) int {
	untilTold()
	say := logs.New()
	ca, err := os.ReadFile("/certs/ca.pem")
	if err != nil {
		say.Fatalf("%s", err)
	}
	server := &http.Server{Addr: ":" + proxyPort, Handler: engineAPI(), TLSNextProto: noHTTP2,
		TLSConfig: &tls.Config{ClientCAs: certs.Pool(string(ca)), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}}
	say.Infof("listening on %s", proxyPort)
	say.Fatalf("%s", server.ListenAndServeTLS("/certs/cert.pem", "/certs/key.pem"))
	return 1
}

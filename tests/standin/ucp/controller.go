package ucp

import (
	"archive/zip"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"standin/internal/certs"
	"standin/internal/logs"
)

// front is one controller.
type front struct {
	host
	config
	cluster, client certs.Pair
	peers           *http.Client // to stores
	proxies         *http.Transport
	engine          *httputil.ReverseProxy
	say             *logs.Logger
}

// controller is the container.
func controller([]string) int {
	untilTold()
	say := logs.New()
	f := &front{host: local(), engine: toEngine(), say: say}
	fail := func(err error) {
		if err != nil {
			say.Fatalf("%s", err)
		}
	}
	text, err := os.ReadFile("/kv/config.json")
	fail(err)
	fail(json.Unmarshal(text, &f.config))
	f.cluster, err = certs.Read("/cluster-ca")
	fail(err)
	f.client, err = certs.Read("/client-ca")
	fail(err)
	f.peers, _, err = dirClient("/client")
	fail(err)
	f.proxies = f.peers.Transport.(*http.Transport)
	port := os.Getenv("CONTROLLER_PORT")
	server := &http.Server{Addr: ":" + port, Handler: f, TLSNextProto: noHTTP2, TLSConfig: &tls.Config{
		ClientCAs: certs.Pool(f.cluster.Cert, f.client.Cert), ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12}}
	say.Infof("listening on %s", port)
	fail(server.ListenAndServeTLS("/server/cert.pem", "/server/key.pem"))
	return 1
}

// ---- who is asking

const sessionTime = 24 * time.Hour

func (f *front) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(f.Session))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// token is good at every controller of this UCP.
func (f *front) token(user string) string {
	text := hex.EncodeToString([]byte(fmt.Sprintf("%d %s %s", time.Now().Add(sessionTime).Unix(), random(4), user)))
	return text + "." + f.sign(text)
}

func (f *front) user(token string) string {
	text, mac, _ := strings.Cut(token, ".")
	said, err := hex.DecodeString(text)
	if err != nil || !hmac.Equal([]byte(mac), []byte(f.sign(text))) {
		return ""
	}
	parts := strings.SplitN(string(said), " ", 3)
	if end, err := strconv.ParseInt(parts[0], 10, 64); err != nil || len(parts) != 3 || time.Now().Unix() > end {
		return ""
	}
	return parts[2]
}

func (f *front) asks(r *http.Request) string {
	if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token != "" {
		return f.user(token)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return r.TLS.PeerCertificates[0].Subject.CommonName
	}
	return ""
}

func (f *front) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Username, Password string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "unable to parse the request: "+err.Error())
		return
	}
	if err := f.store(authPort); err != nil {
		refuse(w, http.StatusInternalServerError, "unable to reach the auth store: "+err.Error())
		return
	}
	err := call(f.peers, "POST", at("127.0.0.1", authPort, "/verify"), account{Name: in.Username, Hash: in.Password}, nil)
	if err != nil {
		status, message := http.StatusInternalServerError, err.Error()
		if strings.HasPrefix(message, "401") {
			status, message = http.StatusUnauthorized, "invalid username or password"
		}
		refuse(w, status, message)
		return
	}
	f.write(w, map[string]string{"auth_token": f.token(in.Username)})
}

func (f *front) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// store is nil while this node's store has its majority.
func (f *front) store(port string) error {
	long := *f.peers
	long.Timeout = 4 * time.Second
	return call(&long, "GET", at("127.0.0.1", port, "/health"), nil, nil)
}

func (f *front) ping(w http.ResponseWriter, r *http.Request) {
	if r.Method == "HEAD" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	for _, s := range []struct{ name, port string }{{"ucp-kv", kvPort}, {"ucp-auth-store", authPort}} {
		if err := f.store(s.port); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
				fmt.Fprintf(w, "%s: %s\n", s.name, err)
			}
			return
		}
	}
	w.Header().Set("API-Version", "1.40")
	io.WriteString(w, "OK")
}

// bundle is a new key pair each time.
func (f *front) bundle(w http.ResponseWriter, r *http.Request, user string) {
	pair, err := f.cluster.Issue(user)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	public := ""
	if block, _ := pem.Decode([]byte(pair.Cert)); block != nil {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			if der, err := x509.MarshalPKIXPublicKey(c.PublicKey); err == nil {
				public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			}
		}
	}
	address := r.Host
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), f.Port)
	}
	env := fmt.Sprintf("export DOCKER_TLS_VERIFY=1\nexport COMPOSE_TLS_VERSION=TLSv1_2\nexport DOCKER_CERT_PATH=\"$(pwd)\"\n"+
		"export DOCKER_HOST=tcp://%s\n#\n# Bundle for user %s\n# UCP Instance ID %s\n#\n"+
		"# Run this command from within this directory to configure your shell:\n# eval \"$(<env.sh)\"\n", address, user, f.ID)
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, file := range []struct {
		name, text string
		mode       os.FileMode
	}{{"ca.pem", f.client.Cert + f.cluster.Cert, 0o644}, {"cert.pem", pair.Cert, 0o644}, {"key.pem", pair.Key, 0o600},
		{"cert.pub", public, 0o644}, {"env.sh", env, 0o644}} {
		head := &zip.FileHeader{Name: file.name, Method: zip.Deflate, Modified: time.Now()}
		head.SetMode(file.mode)
		if to, err := archive.CreateHeader(head); err == nil {
			io.WriteString(to, file.text)
		}
	}
	archive.Close()
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", "attachment; filename=ucp-bundle-"+user+".zip")
	w.Write(out.Bytes())
}

var versionPrefix = regexp.MustCompile(`^/v1\.[0-9]+/`)

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.URL.Path = versionPrefix.ReplaceAllString(r.URL.Path, "/")
	r.URL.RawPath = ""
	route := r.Method + " " + r.URL.Path
	switch {
	case r.URL.Path == "/_ping":
		f.ping(w, r)
		return
	case route == "GET /ca":
		w.Header().Set("Content-Type", "application/x-pem-file")
		io.WriteString(w, f.client.Cert)
		return
	case route == "POST /auth/login":
		f.login(w, r)
		return
	}
	user := f.asks(r)
	if user == "" {
		refuse(w, http.StatusUnauthorized, "unauthorized")
		return
	}
	r.Header.Del("Authorization")
	switch route {
	case "GET /api/clientbundle":
		f.bundle(w, r, user)
	case "GET /id/":
		f.write(w, map[string]string{"name": user})
	case "GET /version", "GET /info":
		f.named(w, r)
	default:
		f.forward(w, r)
	}
}

// named is an engine's answer, with UCP's version.
func (f *front) named(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := f.Do("GET", r.URL.Path, nil, &body); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	key := "Version"
	if r.URL.Path == "/info" {
		key = "ServerVersion"
	}
	body[key] = "ucp/" + f.Version
	f.write(w, body)
}

// Package front is as much of a UCP controller as DTR's bootstrap needs, and no more: it shows the engines of the lab as one,
// lets one administrator in, and never loses a quorum. With it, DTR can be tested alone. It reaches each engine over the unix
// socket /lab/NODE/docker.sock.
package front

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const constraint = "constraint:node=="

type engine struct {
	client http.Client
	proxy  httputil.ReverseProxy
}

type front struct {
	engines  map[string]*engine
	names    []string
	password string
	token    string
	routes   *regexp.Regexp
}

func newFront(sockets []string, password string) *front {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		panic(err)
	}
	f := &front{map[string]*engine{}, nil, password, hex.EncodeToString(secret),
		regexp.MustCompile(`^/(containers|volumes)/([^/]+)/([^/]+)(/[^/]+)?$`)}
	for _, path := range sockets {
		path := path
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", path)
		}}
		e := &engine{http.Client{Transport: transport, Timeout: 20 * time.Second}, httputil.ReverseProxy{Transport: transport,
			FlushInterval: -1, Director: func(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", "docker" },
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, 500, err.Error()) }}}
		name := filepath.Base(filepath.Dir(path))
		f.engines[name], f.names = e, append(f.names, name)
	}
	sort.Strings(f.names)
	return f
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// all asks every engine; those that do not answer are left out, as UCP does.
func (f *front) all(path string, each func(name string, body io.Reader)) {
	var wait sync.WaitGroup
	bodies := make([][]byte, len(f.names))
	for i, name := range f.names {
		wait.Add(1)
		go func(i int, e *engine) {
			defer wait.Done()
			if res, err := e.client.Get("http://docker" + path); err == nil {
				if text, err := io.ReadAll(res.Body); err == nil && res.StatusCode == 200 {
					bodies[i] = text
				}
				res.Body.Close()
			}
		}(i, f.engines[name])
	}
	wait.Wait()
	for i, name := range f.names {
		if bodies[i] != nil {
			each(name, bytes.NewReader(bodies[i]))
		}
	}
}

func (f *front) containers(path string) any {
	list := []map[string]any{}
	f.all(path, func(name string, body io.Reader) {
		var some []map[string]any
		json.NewDecoder(body).Decode(&some)
		for _, c := range some {
			names, _ := c["Names"].([]any)
			for i, one := range names {
				names[i] = "/" + name + one.(string)
			}
			list = append(list, c)
		}
	})
	return list
}

func (f *front) volumes(path string) any {
	list := []map[string]any{}
	f.all(path, func(name string, body io.Reader) {
		var some struct{ Volumes []map[string]any }
		json.NewDecoder(body).Decode(&some)
		for _, v := range some.Volumes {
			v["Name"] = name + "/" + v["Name"].(string)
			list = append(list, v)
		}
	})
	return map[string]any{"Volumes": list, "Warnings": []string{}}
}

// create goes to the engine that the constraint names, without the constraint.
func (f *front) create(w http.ResponseWriter, r *http.Request) {
	var spec map[string]any
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
		refuse(w, 400, err.Error())
		return
	}
	var to *engine
	env, left := []any{}, []any{}
	if list, ok := spec["Env"].([]any); ok {
		env = list
	}
	for _, one := range env {
		if text, _ := one.(string); strings.HasPrefix(text, constraint) {
			to = f.engines[strings.TrimPrefix(text, constraint)]
		} else {
			left = append(left, one)
		}
	}
	if to == nil {
		refuse(w, 500, "could not find any nodes on which the container could be created")
		return
	}
	spec["Env"] = left
	text, _ := json.Marshal(spec)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	to.proxy.ServeHTTP(w, r)
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.Path
	switch {
	case route == "GET /_ping":
		io.WriteString(w, "OK")
		return
	case route == "POST /auth/login":
		var in struct{ Username, Password string }
		json.NewDecoder(r.Body).Decode(&in)
		if in.Username != "admin" || in.Password != f.password {
			refuse(w, 401, "invalid username or password")
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"auth_token": f.token})
		return
	case r.Header.Get("Authorization") != "Bearer "+f.token:
		refuse(w, 401, "unauthorized")
		return
	case route == "GET /containers/json":
		json.NewEncoder(w).Encode(f.containers(r.URL.RequestURI()))
		return
	case route == "GET /volumes":
		json.NewEncoder(w).Encode(f.volumes(r.URL.RequestURI()))
		return
	case route == "POST /containers/create":
		f.create(w, r)
		return
	}
	if parts := f.routes.FindStringSubmatch(r.URL.Path); parts != nil {
		e := f.engines[parts[2]]
		if e == nil {
			refuse(w, 404, "no such node: "+parts[2])
			return
		}
		r.URL.Path, r.URL.RawPath = "/"+parts[1]+"/"+parts[3]+parts[4], ""
		e.proxy.ServeHTTP(w, r)
		return
	}
	f.engines[f.names[0]].proxy.ServeHTTP(w, r)
}

// Roles is the container ucp-front: its certificate and key are /certs/cert.pem and /certs/key.pem.
func Roles() map[string]func([]string) int {
	return map[string]func([]string) int{"ucp-front": func([]string) int {
		sockets, _ := filepath.Glob("/lab/node[1-9]/docker.sock")
		if len(sockets) == 0 {
			os.Stderr.WriteString("ucp-front: no engine below /lab\n")
			return 1
		}
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		go func() { <-stop; os.Exit(0) }()
		err := http.ListenAndServeTLS(":443", "/certs/cert.pem", "/certs/key.pem", newFront(sockets, os.Getenv("PASSWORD")))
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}}
}

package dtr

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"standin/internal/docker"
)

// nginx is the container dtr-nginx-ID: what the world sees of a replica.
type nginx struct {
	replica string
	ca      string
	status  func(ctx context.Context) (*statusView, error)
	state   func(ctx context.Context) (*state, error)
	write   func(ctx context.Context, table string, row any) error
	login   func(s settings, user, password string) (int, error) // the status of UCP's answer
}

type ping struct {
	Error   string
	Healthy bool
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func failed(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

// admitted lets administrators pass, whom UCP knows; otherwise the answer is given.
func (n *nginx) admitted(w http.ResponseWriter, r *http.Request, s settings) bool {
	user, password, ok := r.BasicAuth()
	status := http.StatusUnauthorized
	if ok {
		var err error
		if status, err = n.login(s, user, password); err != nil {
			failed(w, http.StatusInternalServerError, "INTERNAL_ERROR", "UCP does not answer: "+err.Error())
			return false
		}
	}
	if status == http.StatusOK {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="dtr"`)
	failed(w, http.StatusUnauthorized, "UNAUTHORIZED", "The client is not authorized.")
	return false
}

func (n *nginx) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	path := strings.TrimSuffix(r.URL.Path, "/")
	if path == "/ca" {
		w.Header().Set("Content-Type", "application/x-pem-file")
		fmt.Fprint(w, n.ca)
		return
	}
	fast, stop := context.WithTimeout(ctx, 2*time.Second)
	view, err := n.status(fast)
	stop()
	if err != nil {
		view = &statusView{Why: "rethinkdb: no connection to dtr-rethinkdb-" + n.replica}
	}
	switch {
	case path == "/_ping" || path == "/health" || path == "/load_balancer_status":
		status := http.StatusOK
		if !view.Healthy {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, ping{view.Why, view.Healthy})
	case !strings.HasPrefix(path, "/api/v0/"):
		failed(w, http.StatusNotFound, "NOT_FOUND", "There is no such page.")
	case !view.Healthy:
		failed(w, http.StatusInternalServerError, "INTERNAL_ERROR", "internal server error")
	case !n.admitted(w, r, view.Settings):
	case path == "/api/v0/meta/cluster_status" && r.Method == "GET":
		answer(w, http.StatusOK, clusterStatus(view))
	case path == "/api/v0/meta/settings" && r.Method == "GET":
		answer(w, http.StatusOK, map[string]any{
			"dtrHost": view.Settings.ExternalURL, "storageBackend": view.Settings.Storage, "replicaID": view.Replica})
	case path == "/api/v0/repositories" && r.Method == "GET":
		s, err := n.state(ctx)
		if err != nil {
			failed(w, http.StatusInternalServerError, "INTERNAL_ERROR", err.Error())
			return
		}
		rows := s.Tables["repositories"]
		if rows == nil {
			rows = []json.RawMessage{}
		}
		answer(w, http.StatusOK, map[string]any{"repositories": rows})
	case strings.HasPrefix(path, "/api/v0/repositories/") && r.Method == "POST":
		var row struct {
			Name       string `json:"name"`
			Namespace  string `json:"namespace"`
			Visibility string `json:"visibility"`
		}
		if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&row) != nil || row.Name == "" {
			failed(w, http.StatusBadRequest, "INVALID_JSON", "Unable to parse JSON")
			return
		}
		row.Namespace = strings.TrimPrefix(path, "/api/v0/repositories/")
		if err := n.write(ctx, "repositories", row); err != nil {
			failed(w, http.StatusInternalServerError, "INTERNAL_ERROR", err.Error())
			return
		}
		answer(w, http.StatusCreated, row)
	default:
		failed(w, http.StatusNotFound, "NOT_FOUND", "There is no such resource.")
	}
}

// clusterStatus is the body of /api/v0/meta/cluster_status.
func clusterStatus(view *statusView) any {
	health, when, readonly := map[string]string{}, map[string]string{}, map[string]bool{}
	issues, servers := []any{}, []any{}
	for _, id := range view.Members {
		stamp := view.Reports[id].UTC().Format(time.RFC3339)
		if view.Reports[id].IsZero() { // a member so new that it has not told yet
			stamp = time.Now().UTC().Format(time.RFC3339)
		}
		health[id], when[id], readonly[id] = "OK", stamp, false
		if contains(view.OK, id) {
			servers = append(servers, map[string]string{"name": "dtr_rethinkdb_" + id})
			continue
		}
		health[id] = "Replica reported health too long ago: " + stamp
		issues = append(issues, map[string]any{"type": "table_availability", "critical": false,
			"description": "some replicas are not ready. The following servers are not reachable: dtr_rethinkdb_" + id})
	}
	return map[string]any{
		"rethink_system_tables": map[string]any{"cluster_config": []any{}, "current_issues": issues, "db_config": []any{},
			"server_status": servers, "stats": []any{}, "table_config": []any{}, "table_status": []any{}},
		"replica_health": health, "replica_timestamp": when, "replica_readonly": readonly, "gc_lock_holder": "",
	}
}

// loginUCP gives the status of UCP's answer to a name and a password, and a token if that is 200.
func loginUCP(s settings, user, password string) (int, string, error) {
	client, err := docker.New(docker.Options{URL: s.UCPURL, CA: []byte(s.UCPCA), Insecure: s.UCPInsecure, Timeout: 15 * time.Second})
	if err != nil {
		return 0, "", err
	}
	var said struct {
		Token string `json:"auth_token"`
	}
	err = client.Do("POST", "/auth/login", map[string]string{"username": user, "password": password}, &said)
	if status := docker.Status(err); status != 0 {
		return status, "", nil
	}
	return http.StatusOK, said.Token, err
}

// serve is a container's life: it ends in good order when told to.
func serve(say *log, server *http.Server, cert, key string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	end := make(chan error, 1)
	go func() {
		if cert != "" {
			end <- server.ListenAndServeTLS(cert, key)
		} else {
			end <- server.ListenAndServe()
		}
	}()
	select {
	case <-stop:
		return 0
	case err := <-end:
		say.fatal("%s", err)
		return 1
	}
}

// Nginx is the container dtr-nginx-ID; with --check, its own health check.
func Nginx(args []string) int {
	if len(args) > 0 && args[0] == "--check" {
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		res, err := client.Get("https://127.0.0.1/_ping")
		if err != nil || res.StatusCode != http.StatusOK {
			return 1
		}
		return 0
	}
	say := logger()
	ca, err := os.ReadFile(filepath.Join(caDir, "ca.pem"))
	if err != nil {
		say.fatal("%s", err)
	}
	id, database := os.Getenv("DTR_REPLICA_ID"), os.Getenv("DTR_RETHINKDB")
	n := &nginx{
		replica: id, ca: string(ca),
		status: func(ctx context.Context) (*statusView, error) {
			view := &statusView{}
			return view, askRethink(ctx, database, "GET", "/status", nil, view)
		},
		state: func(ctx context.Context) (*state, error) {
			s := &state{}
			return s, askRethink(ctx, database, "GET", "/state", nil, s)
		},
		write: func(ctx context.Context, table string, row any) error {
			return askRethink(ctx, database, "POST", "/write", map[string]any{"Table": table, "Row": row}, nil)
		},
		login: func(s settings, user, password string) (int, error) {
			status, _, err := loginUCP(s, user, password)
			return status, err
		},
	}
	go http.ListenAndServe(":80", n) // for load balancers' checks
	return serve(say, &http.Server{Addr: ":443", Handler: n, ReadHeaderTimeout: 10 * time.Second},
		filepath.Join(caDir, "cert.pem"), filepath.Join(caDir, "key.pem"))
}

// Idle is every container of a replica that has nothing to do here.
func Idle([]string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	return 0
}

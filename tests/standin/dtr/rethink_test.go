package dtr

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A lab of databases without a network: calls go from one to the other unless one of them is dead.
type herd struct {
	t    *testing.T
	all  map[string]*rethink
	dead map[string]bool
	died map[string]string
}

func (h *herd) call(from string) func(context.Context, string, string, string, any, any) error {
	return func(_ context.Context, to, method, path string, in, out any) error {
		r := h.all[to]
		if r == nil || h.dead[to] || h.dead[from] {
			return errors.New("no route")
		}
		text, _ := json.Marshal(in)
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, httptest.NewRequest(method, path, strings.NewReader(string(text))))
		if answer.Code >= 400 {
			return errors.New(strings.TrimSpace(answer.Body.String()))
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(answer.Body.Bytes(), out)
	}
}

func (h *herd) start(id string, s state) *rethink {
	h.t.Helper()
	dir := h.t.TempDir()
	s.Replica = id
	if err := s.save(dir); err != nil {
		h.t.Fatal(err)
	}
	r, err := newRethink(dir, func(why string) { h.died[id] = why })
	if err != nil {
		h.t.Fatal(err)
	}
	r.ask = h.call(id)
	h.all[id] = r
	return r
}

func newHerd(t *testing.T, ids ...string) *herd {
	h := &herd{t, map[string]*rethink{}, map[string]bool{}, map[string]string{}}
	for _, id := range ids {
		h.start(id, state{Cluster: "c", Version: "2.6.4", Epoch: 1, Members: ids})
	}
	h.look()
	return h
}

// look lets all look twice, so that news get around.
func (h *herd) look() {
	for i := 0; i < 2; i++ {
		for id, r := range h.all {
			if !h.dead[id] {
				r.look(context.Background())
			}
		}
	}
}

func (h *herd) well(want string) {
	h.t.Helper()
	h.look()
	got := []string{}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		if r := h.all[id]; r != nil && !h.dead[id] && r.status().Healthy {
			got = append(got, id)
		}
	}
	if strings.Join(got, " ") != want {
		h.t.Fatalf("healthy: %q, wanted %q", strings.Join(got, " "), want)
	}
}

func TestHealthIsAMajorityOfOnesOwnMembers(t *testing.T) {
	h := newHerd(t, "a", "b", "c")
	h.well("a b c")
	h.dead["c"] = true
	h.well("a b")
	h.dead["b"] = true
	h.well("")
	if why := h.all["a"].status().Why; !strings.Contains(why, "dtr_rethinkdb_b, dtr_rethinkdb_c") {
		t.Fatal(why)
	}
}

func TestWhoWasRemovedWhileDeadComesBackUnhealthy(t *testing.T) {
	h := newHerd(t, "a", "b", "c")
	h.dead["c"] = true
	h.look()
	if err := h.all["a"].reconfigure(context.Background(), nil, []string{"c"}, false); err != nil {
		t.Fatal(err)
	}
	h.dead["c"] = false
	h.well("a b")
	if len(h.all["b"].state.Members) != 2 || len(h.all["c"].state.Members) != 3 {
		t.Fatal("members are not what they were told")
	}
}

func TestAChangeOfMembersNeedsTheMajorityUnlessForced(t *testing.T) {
	h := newHerd(t, "a", "b", "c")
	h.dead["b"], h.dead["c"] = true, true
	if err := h.all["a"].reconfigure(context.Background(), nil, []string{"b"}, false); err == nil {
		t.Fatal("members change without a majority")
	}
	if err := h.all["a"].reconfigure(context.Background(), map[string]string{"d": "d:1"}, nil, true); err != nil {
		t.Fatal(err)
	}
	if !h.all["a"].state.has("d") {
		t.Fatal("a forced change is not made")
	}
}

func TestTwoOldMembersAreAClusterBesideARepairedOne(t *testing.T) {
	h := newHerd(t, "a", "b", "c")
	alone := *h.all["a"].state
	alone.Members, alone.Epoch = []string{"a"}, 2
	h.start("a", alone)
	h.well("a b c")
	for id, members := range map[string]int{"a": 1, "b": 3, "c": 3} {
		if len(h.all[id].state.Members) != members {
			t.Fatal(id, h.all[id].state.Members)
		}
	}
}

func TestAWriteReachesWhoWasAwayWhenItReturns(t *testing.T) {
	h := newHerd(t, "a", "b", "c")
	h.dead["c"] = true
	h.look()
	if err := h.all["a"].write(context.Background(), "repositories", json.RawMessage(`{"name":"web"}`)); err != nil {
		t.Fatal(err)
	}
	h.dead["c"] = false
	h.look()
	for id, r := range h.all {
		if len(r.state.Tables["repositories"]) != 1 {
			t.Fatal(id, r.state.Tables)
		}
	}
}

func TestDamageEndsTheDatabaseAndIsNotWrittenOver(t *testing.T) {
	h := newHerd(t, "a", "b", "c")
	path := filepath.Join(h.all["a"].dir, "state.json")
	os.WriteFile(path, []byte("garbage"), 0o600)
	if h.all["b"].reconfigure(context.Background(), nil, []string{"c"}, true); h.died["a"] != "" {
		t.Fatal("died too early")
	}
	h.all["a"].look(context.Background())
	if text, _ := os.ReadFile(path); !strings.Contains(h.died["a"], "corrupt") || string(text) != "garbage" {
		t.Fatal(h.died["a"], string(text))
	}
}

func TestNginxTellsHealthAndAsksUCPWhoMayKnowMore(t *testing.T) {
	view, bad := &statusView{Replica: "a", Healthy: true, Members: []string{"a", "b", "c"}, OK: []string{"a", "b"}}, error(nil)
	n := &nginx{replica: "a", ca: "PEM",
		status: func(context.Context) (*statusView, error) { return view, bad },
		login: func(_ settings, user, password string) (int, error) {
			if user == "admin" && password == "right" {
				return 200, nil
			}
			return 401, nil
		}}
	get := func(path, password string) (int, string) {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		if password != "" {
			r.SetBasicAuth("admin", password)
		}
		n.ServeHTTP(w, r)
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	const status = "/api/v0/meta/cluster_status"
	for _, c := range []struct {
		path, password, want string
		code                 int
	}{
		{"/_ping", "", `{"Error":"","Healthy":true}`, 200}, {"/ca", "", "PEM", 200},
		{status, "", "UNAUTHORIZED", 401}, {status, "wrong", "UNAUTHORIZED", 401},
		{status, "right", `"replica_health":{"a":"OK","b":"OK","c":"Replica reported health too long ago`, 200},
	} {
		if code, text := get(c.path, c.password); code != c.code || !strings.Contains(text, c.want) {
			t.Fatal(c.path, code, text)
		}
	}
	view.Healthy, view.Why = false, "no majority"
	if code, text := get("/_ping", ""); code != 503 || text != `{"Error":"no majority","Healthy":false}` {
		t.Fatal(code, text)
	}
	if code, _ := get(status, "right"); code != http.StatusInternalServerError {
		t.Fatal(code)
	}
	bad = errors.New("refused")
	if code, text := get("/_ping", ""); code != 503 || !strings.Contains(text, "no connection to dtr-rethinkdb-a") {
		t.Fatal(code, text)
	}
}

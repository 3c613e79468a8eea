package dtr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// The databases talk over the network of the hosts, not over the overlay network: an engine that comes back after a while
// sometimes cannot attach its containers to one ("context deadline exceeded") and gives up, and what is tested here is not that.
const (
	clusterPort = "29015"
	tick        = time.Second
	reportEvery = 5 * time.Second
)

// peerView is what a replica says of itself to another.
type peerView struct {
	Replica string
	Cluster string
	Epoch   int
	Seq     int
	Members []string
	Healthy bool
	Reports reports
}

// statusView is what a replica says of itself and the others to its own nginx and to phase 2.
type statusView struct {
	Replica  string
	Version  string
	Healthy  bool
	Why      string
	Members  []string
	OK       []string // members that answer and count this one; with itself
	Reports  reports
	Settings settings
}

// rethink is one replica's database: it keeps the state, and judges by its own list of members who is reachable.
type rethink struct {
	dir  string
	ask  func(ctx context.Context, id, method, path string, in, out any) error // a call to another replica
	exit func(why string)                                                      // the end, when the data is found corrupt

	mu      sync.Mutex // guards what follows; never held over a call to another replica
	state   *state
	seen    []byte // state.json as this process knows it
	peers   map[string]peerView
	reports reports
	saved   time.Time
	booted  bool

	change sync.Mutex // one change of members, or write, at a time
}

func rethinkAt(host string) string { return net.JoinHostPort(host, clusterPort) }

var rethinkHTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Second}}

// askRethink makes a call to the database at an address. An answer of 400 or above is an error with its text.
func askRethink(ctx context.Context, address, method, path string, in, out any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := rethinkHTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		return errors.New(strings.TrimSpace(string(text)))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}

func newRethink(dir string, exit func(string)) (*rethink, error) {
	r := &rethink{dir: dir, exit: exit, peers: map[string]peerView{}, reports: loadReports(dir)}
	r.ask = func(ctx context.Context, id, method, path string, in, out any) error {
		r.mu.Lock()
		address := r.state.Address[id]
		r.mu.Unlock()
		return askRethink(ctx, address, method, path, in, out)
	}
	if err := r.reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// reload takes what is on disk; the caller holds mu, or is alone.
func (r *rethink) reload() error {
	text, err := os.ReadFile(filepath.Join(r.dir, "state.json"))
	if err != nil {
		return err
	}
	if r.state != nil && bytes.Equal(text, r.seen) {
		return nil
	}
	s, err := parseState(text)
	if err != nil {
		return err
	}
	r.state, r.seen = s, text
	return nil
}

// adopt takes another state into the memory and onto the disk; the caller holds mu.
func (r *rethink) adopt(s *state) error {
	if err := r.reload(); err != nil { // damage is found here, and not written over
		return err
	}
	own := *s
	own.Replica = r.state.Replica
	if err := own.save(r.dir); err != nil {
		return err
	}
	return r.reload()
}

// look asks all the other members how they are, catches up with who knows more, and reports.
func (r *rethink) look(ctx context.Context) {
	r.mu.Lock()
	if err := r.reload(); err != nil {
		r.mu.Unlock()
		r.exit(err.Error())
		return
	}
	s := r.state
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, 900*time.Millisecond)
	defer cancel()
	found := map[string]peerView{}
	var wait sync.WaitGroup
	var guard sync.Mutex
	for _, id := range without(s.Members, s.Replica) {
		wait.Add(1)
		go func(id string) {
			defer wait.Done()
			var view peerView
			if r.ask(ctx, id, "GET", "/peer", nil, &view) == nil && view.Cluster == s.Cluster && view.Replica == id {
				guard.Lock()
				found[id] = view
				guard.Unlock()
			}
		}(id)
	}
	wait.Wait()

	r.mu.Lock()
	r.peers, r.booted = found, true
	for _, view := range found {
		for id, when := range view.Reports {
			if when.After(r.reports[id]) {
				r.reports[id] = when
			}
		}
	}
	if r.status().Healthy {
		r.reports[s.Replica] = time.Now().UTC().Truncate(time.Second)
	}
	if time.Since(r.saved) > reportEvery {
		r.reports.save(r.dir)
		r.saved = time.Now()
	}
	r.mu.Unlock()

	for id, view := range found {
		// Only who counts this one as a member can tell it anything.
		if !contains(view.Members, s.Replica) || !(&state{Cluster: view.Cluster, Epoch: view.Epoch, Seq: view.Seq}).newer(s) {
			continue
		}
		var theirs state
		if r.ask(ctx, id, "GET", "/state", nil, &theirs) == nil {
			r.mu.Lock()
			if theirs.newer(r.state) && theirs.has(s.Replica) {
				r.adopt(&theirs)
			}
			r.mu.Unlock()
		}
	}
}

// status judges by what the last look found; the caller holds mu.
func (r *rethink) status() statusView {
	s := r.state
	view := statusView{Replica: s.Replica, Version: s.Version, Members: s.Members, Reports: r.reports, Settings: s.Settings}
	var silent []string
	for _, id := range s.Members {
		if peer, ok := r.peers[id]; id == s.Replica || ok && contains(peer.Members, s.Replica) {
			view.OK = append(view.OK, id)
		} else {
			silent = append(silent, id)
		}
	}
	view.Healthy = r.booted && 2*len(view.OK) > len(s.Members)
	if !view.Healthy {
		servers := make([]string, len(silent))
		for i, id := range silent {
			servers[i] = "dtr_rethinkdb_" + id
		}
		view.Why = "rethinkdb: some replicas are not ready. The following servers are not reachable: " + strings.Join(servers, ", ")
	}
	return view
}

// agree spreads a new state among the old and the new members. Without force, a majority of the old ones must take it.
func (r *rethink) agree(ctx context.Context, next *state, force bool) error {
	r.mu.Lock()
	old, self := r.state.Members, r.state.Replica
	if err := r.adopt(next); err != nil {
		r.mu.Unlock()
		return err
	}
	r.mu.Unlock()
	taken := 0
	for _, id := range old {
		if id == self {
			taken++
		}
	}
	all := append([]string{}, old...)
	for _, id := range next.Members {
		if !contains(all, id) {
			all = append(all, id)
		}
	}
	for _, id := range without(all, self) {
		if !next.has(id) {
			continue // who is removed is not told: it is gone, or goes
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		if r.ask(ctx, id, "POST", "/adopt", next, nil) == nil && contains(old, id) {
			taken++
		}
		cancel()
	}
	left := 0 // of the old members, those that stay
	for _, id := range old {
		if next.has(id) {
			left++
		}
	}
	if !force && 2*taken <= left {
		return errors.New("a majority of the replicas did not take the change")
	}
	return nil
}

// reconfigure changes the members.
func (r *rethink) reconfigure(ctx context.Context, add map[string]string, remove []string, force bool) error {
	r.change.Lock()
	defer r.change.Unlock()
	r.look(ctx)
	r.mu.Lock()
	view, next := r.status(), *r.state
	r.mu.Unlock()
	if !view.Healthy && !force {
		return fmt.Errorf("replica %s is not healthy: %s", view.Replica, view.Why)
	}
	next.Members = without(next.Members, remove...)
	known := map[string]string{}
	for id, address := range next.Address {
		known[id] = address
	}
	next.Address = known
	for id, address := range add {
		next.Address[id] = address
		if !contains(next.Members, id) {
			next.Members = append(next.Members, id)
		}
	}
	sort.Strings(next.Members)
	if !contains(next.Members, view.Replica) {
		return errors.New("the replica that is to be kept cannot be removed")
	}
	next.Epoch++
	return r.agree(ctx, &next, force)
}

// write appends a row to a table.
func (r *rethink) write(ctx context.Context, table string, row json.RawMessage) error {
	r.change.Lock()
	defer r.change.Unlock()
	r.mu.Lock()
	view, next := r.status(), *r.state
	r.mu.Unlock()
	if !view.Healthy {
		return errors.New(view.Why)
	}
	tables := map[string][]json.RawMessage{}
	for name, rows := range next.Tables {
		tables[name] = rows
	}
	tables[table] = append(append([]json.RawMessage{}, tables[table]...), row)
	next.Tables = tables
	next.Seq++
	return r.agree(ctx, &next, false)
}

func (r *rethink) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	reply := func(value any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(value)
	}
	locked := func(value func() any) any {
		r.mu.Lock()
		defer r.mu.Unlock()
		text, _ := json.Marshal(value())
		return json.RawMessage(text)
	}
	switch req.Method + " " + req.URL.Path {
	case "GET /peer":
		reply(locked(func() any {
			s := r.state
			return peerView{s.Replica, s.Cluster, s.Epoch, s.Seq, s.Members, r.status().Healthy, r.reports}
		}), nil)
	case "GET /status":
		reply(locked(func() any { return r.status() }), nil)
	case "GET /state":
		reply(locked(func() any { return r.state }), nil)
	case "POST /adopt":
		var next state
		err := json.NewDecoder(req.Body).Decode(&next)
		if err == nil {
			r.mu.Lock()
			if next.newer(r.state) {
				err = r.adopt(&next)
			}
			r.mu.Unlock()
		}
		reply(true, err)
	case "POST /reconfigure":
		var order struct {
			Add    map[string]string // addresses by ID
			Remove []string
			Force  bool
		}
		err := json.NewDecoder(req.Body).Decode(&order)
		if err == nil {
			err = r.reconfigure(req.Context(), order.Add, order.Remove, order.Force)
		}
		reply(true, err)
	case "POST /write":
		var order struct {
			Table string
			Row   json.RawMessage
		}
		err := json.NewDecoder(req.Body).Decode(&order)
		if err == nil {
			err = r.write(req.Context(), order.Table, order.Row)
		}
		reply(true, err)
	default:
		http.NotFound(w, req)
	}
}

// Rethink is the container dtr-rethinkdb-ID.
func Rethink([]string) int {
	say := logger()
	r, err := newRethink(dataDir, func(why string) { say.fatal("%s", why) })
	if err != nil {
		say.fatal("%s", err)
	}
	go func() {
		for {
			r.look(context.Background())
			time.Sleep(tick)
		}
	}()
	return serve(say, &http.Server{Addr: ":" + clusterPort, Handler: r}, "", "")
}

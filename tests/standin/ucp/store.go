package ucp

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
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

	"standin/internal/certs"
	"standin/internal/logs"
)

// store is ucp-kv or ucp-auth-store: it knows who its members are and whether a majority of them answers. Its members change only
// with such a majority.
type store struct {
	lock   sync.Mutex
	own    membership
	me     string // ID of the node
	port   string
	dir    string
	client *http.Client
}

const patience = 1500 * time.Millisecond

// transport is trusted by nodes of the cluster, and trusts them, by their certificate and whatever address.
func transport(ca string, own tls.Certificate) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: certs.Pool(ca), Certificates: []tls.Certificate{own}, ServerName: nodeName},
		DialContext:         (&net.Dialer{Timeout: patience}).DialContext,
		TLSHandshakeTimeout: patience, MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second,
	}
}

func nodeClient(s *state) (*http.Client, error) {
	pair, err := s.Cluster.Issue("ucp-agent", nodeName)
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair([]byte(pair.Cert), []byte(pair.Key))
	return &http.Client{Transport: transport(s.Cluster.Cert, own), Timeout: patience}, err
}

// dirClient is the same from a folder of certificates.
func dirClient(dir string) (*http.Client, *x509.CertPool, error) {
	own, err := certs.Load(dir)
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	return &http.Client{Transport: transport(string(ca), own), Timeout: patience}, certs.Pool(string(ca)), err
}

func call(c *http.Client, method, url string, in, out any) error {
	var body io.Reader
	if in != nil {
		body = bytes.NewReader(toJSON(in))
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%d: %s", res.StatusCode, strings.TrimSpace(string(text)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func at(addr, port, path string) string { return "https://" + net.JoinHostPort(addr, port) + path }

func (s *store) get() membership {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.own
}

// take keeps a newer membership.
func (s *store) take(m membership) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if m.Token != s.own.Token || m.Rev <= s.own.Rev {
		return m.Token == s.own.Token
	}
	path := filepath.Join(s.dir, "members.json")
	if os.WriteFile(path+".new", toJSON(m), 0o600) != nil || os.Rename(path+".new", path) != nil {
		return false
	}
	s.own = m
	return true
}

// answering asks every member, and learns from one that knows better.
func (s *store) answering(own membership) (count int, silent []string) {
	var wait sync.WaitGroup
	var lock sync.Mutex
	for id, m := range own.Members {
		wait.Add(1)
		go func(id string, m member) {
			defer wait.Done()
			theirs := own
			if id != s.me {
				theirs = membership{}
				if call(s.client, "GET", at(m.Addr, s.port, "/members"), nil, &theirs) == nil && theirs.Token == own.Token {
					s.take(theirs)
				}
			}
			lock.Lock()
			defer lock.Unlock()
			if _, ok := theirs.Members[s.me]; ok && theirs.Token == own.Token {
				count++
			} else {
				silent = append(silent, m.Host)
			}
		}(id, m)
	}
	wait.Wait()
	sort.Strings(silent)
	return count, silent
}

// health is nil while a majority answers.
func (s *store) health() error {
	own := s.get()
	if len(own.Members) == 0 {
		return errors.New("this node is no member yet")
	}
	if _, ok := own.Members[s.me]; !ok {
		return errors.New("this node is no member any more")
	}
	count, silent := s.answering(own)
	if needed := len(own.Members)/2 + 1; count < needed {
		return fmt.Errorf("%d of %d members answer, %d are needed; silent: %s", count, len(own.Members), needed, strings.Join(silent, ", "))
	}
	return nil
}

// propose makes the members those, if a majority of the present ones agrees.
func (s *store) propose(members map[string]member) error {
	if err := s.health(); err != nil {
		return err
	}
	old := s.get()
	next := membership{old.Token, old.Rev + 1, members}
	agree := 0
	for id, m := range old.Members {
		if id == s.me && s.take(next) || id != s.me && call(s.client, "PUT", at(m.Addr, s.port, "/members"), next, nil) == nil {
			agree++
		}
	}
	if agree <= len(old.Members)/2 {
		return errors.New("no majority agrees to the new members")
	}
	for id, m := range members {
		if _, ok := old.Members[id]; !ok {
			call(s.client, "PUT", at(m.Addr, s.port, "/members"), next, nil) // or it learns it when it asks
		}
	}
	return nil
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "{}")
	}
	var in membership
	if r.Method != "GET" && r.URL.Path != "/verify" {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			fail(err)
			return
		}
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /health":
		fail(s.health())
	case "GET /members":
		w.Write(toJSON(s.get()))
	case "PUT /members":
		if !s.take(in) {
			fail(errors.New("of another UCP"))
			return
		}
		fail(nil)
	case "POST /propose":
		fail(s.propose(in.Members))
	case "POST /verify":
		var given, kept account
		json.NewDecoder(r.Body).Decode(&given)
		text, err := os.ReadFile(filepath.Join(s.dir, "accounts.json"))
		if err == nil {
			err = json.Unmarshal(text, &kept)
		}
		if err == nil && (given.Name != kept.Name || hashed(kept.Salt, given.Hash) != kept.Hash) {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fail(err)
	default:
		http.NotFound(w, r)
	}
}

// serveStore is the container; its data is /data, and its certificates are in /certs.
func serveStore(port string) int {
	untilTold()
	say := logs.New()
	client, pool, err := dirClient("/certs")
	if err != nil {
		say.Fatalf("%s", err)
	}
	s := &store{me: os.Getenv("NODE_ID"), port: port, dir: "/data", client: client}
	text, err := os.ReadFile("/data/members.json")
	if err == nil {
		err = json.Unmarshal(text, &s.own)
	}
	if err != nil && !os.IsNotExist(err) {
		say.Fatalf("the data is damaged: %s", err)
	}
	if s.own.Token == "" {
		s.own.Token = os.Getenv("UCP_TOKEN")
	}
	server := &http.Server{Addr: ":" + port, Handler: s, TLSConfig: &tls.Config{ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}}
	say.Infof("listening on %s, %d members", port, len(s.own.Members))
	say.Fatalf("%s", server.ListenAndServeTLS("/certs/cert.pem", "/certs/key.pem"))
	return 1
}

// enrollStore makes the swarm's managers that answer the members of the stores on a port; those that are managers no more go.
func enrollStore(client *http.Client, token, port string, managers map[string]member, say *logs.Logger) error {
	var best membership
	alive, speaker := map[string]int{}, ""
	for id, m := range managers {
		var theirs membership
		if m.Addr == "" || call(client, "GET", at(m.Addr, port, "/members"), nil, &theirs) != nil || theirs.Token != token {
			continue
		}
		alive[id] = theirs.Rev
		if theirs.Rev > best.Rev {
			best, speaker = theirs, m.Addr
		}
	}
	if speaker == "" {
		return nil
	}
	for id, rev := range alive {
		if rev < best.Rev { // it missed something, perhaps that it is a member
			call(client, "PUT", at(managers[id].Addr, port, "/members"), best, nil)
		}
	}
	members, changed := map[string]member{}, false
	for id, m := range best.Members {
		now, ok := managers[id]
		if !ok {
			changed = true
			say.Infof("%s is no manager any more: it leaves the store on port %s", m.Host, port)
			continue
		}
		if now.Addr != "" && now != m {
			m, changed = now, true
		}
		members[id] = m
	}
	for id, m := range managers {
		_, known := best.Members[id]
		if _, answers := alive[id]; answers && !known {
			members[id], changed = m, true
			say.Infof("%s joins the store on port %s", m.Host, port)
		}
	}
	if !changed {
		return nil
	}
	long := *client
	long.Timeout = 10 * time.Second
	return call(&long, "POST", at(speaker, port, "/propose"), membership{Members: members}, nil)
}

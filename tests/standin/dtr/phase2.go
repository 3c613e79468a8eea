package dtr

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Phase 2 runs on the node of a replica, with its volumes, as the container dtr-phase2. Its job
// comes in the environment; what it found goes to stdout as one line of JSON, and its log to stderr.
type job struct {
	Do       string
	Version  string
	Replica  string   // whose volumes are mounted
	Existing string   // the replica that is asked
	Address  string   // of the database whose volumes are mounted
	Peer     string   // of the database of the replica that is asked
	Remove   []string // members to remove
	Hosts    []string // names for the certificate
	Settings settings
	Unsafe   bool
	Token    string // who may send or fetch an archive
	Damage   bool   // leave things broken: a fault
}

// result is what phase 1 is told.
type result struct {
	Port    int      `json:",omitempty"` // where an archive is sent or fetched; comes first, in a line of its own
	Members []string `json:",omitempty"`
	Version string   `json:",omitempty"`
	Text    string   `json:",omitempty"`
}

func random(bytes int) string {
	text := make([]byte, bytes)
	if _, err := rand.Read(text); err != nil {
		panic(err)
	}
	return hex.EncodeToString(text)
}

func (j *job) tell(r result) {
	text, _ := json.Marshal(r)
	fmt.Println(string(text))
}

// phase2 is the command `phase2` of the bootstrap image.
func phase2(say *log) int {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv("STANDIN_JOB")), &j); err != nil {
		say.fatal("phase 2 was given no job")
	}
	jobs := map[string]func(*log) (result, error){
		"ports": j.nothing, "network": j.nothing, "fault": j.fault, "init": j.init, "join": j.join, "added": j.added, "remove": j.remove,
		"check": j.check, "repair": j.repair, "await": j.await, "export": j.export, "import": j.load, "reconfigure": j.reconfigure,
	}
	do, ok := jobs[j.Do]
	if !ok {
		say.fatal("phase 2 knows no job %q", j.Do)
	}
	found, err := do(say)
	if err != nil {
		say.fatal("%s", err)
	}
	if j.Damage {
		os.WriteFile(filepath.Join(dataDir, "state.json"), []byte("\x00damaged"), 0o600)
	}
	j.tell(found)
	return 0
}

// nothing is to be done: that it could start shows that its ports are free, or that its network works.
func (j *job) nothing(*log) (result, error) { return result{}, nil }

// fault reads which fault the command has: a file of the volume standin-faults.
func (j *job) fault(*log) (result, error) {
	text, err := os.ReadFile("/faults/" + filepath.Base(j.Replica))
	if err != nil {
		return result{}, nil
	}
	return result{Text: strings.TrimSpace(string(text))}, nil
}

func (j *job) certs(s *state) error {
	hosts := j.Hosts
	if host, _, err := net.SplitHostPort(s.Settings.ExternalURL); err == nil {
		hosts = append(hosts, host)
	} else {
		hosts = append(hosts, s.Settings.ExternalURL)
	}
	return writeCerts(caDir, &s.Settings, hosts)
}

// empty refuses to write over another's data.
func empty() error {
	if _, err := os.Stat(filepath.Join(dataDir, "state.json")); err == nil {
		return fmt.Errorf("the volume holds the data of another replica")
	}
	return nil
}

func (j *job) init(say *log) (result, error) {
	if err := empty(); err != nil {
		return result{}, err
	}
	say.info("Creating initial CA certificates")
	cert, key := j.Settings.CACert, j.Settings.CAKey
	if cert == "" {
		var err error
		if cert, key, err = certificate("DTR CA", nil, nil, nil); err != nil {
			return result{}, err
		}
	}
	s := &state{Cluster: random(16), Replica: j.Replica, Version: j.Version, Epoch: 1, Members: []string{j.Replica},
		Address: map[string]string{j.Replica: j.Address}, Settings: j.Settings}
	s.Settings.CACert, s.Settings.CAKey = cert, key
	say.info("Bootstrapping rethink...")
	if err := j.certs(s); err != nil {
		return result{}, err
	}
	say.info("Generated TLS certificate.")
	say.info("License config copied from UCP.")
	say.info("Migrating db...")
	return result{Members: s.Members}, s.save(dataDir)
}

// healthy asks a replica for its status until it is well or the time is up.
func healthy(id, address string, limit time.Duration) (*statusView, error) {
	deadline := time.Now().Add(limit)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		view := &statusView{}
		err := askRethink(ctx, address, "GET", "/status", nil, view)
		cancel()
		switch {
		case err == nil && view.Healthy:
			return view, nil
		case time.Now().Before(deadline):
			time.Sleep(200 * time.Millisecond)
		case err != nil:
			return nil, fmt.Errorf("replica %s does not answer: %w", id, err)
		default:
			return view, fmt.Errorf("replica %s is not healthy: %s", id, view.Why)
		}
	}
}

// join fetches what the replicas know and writes it to the new one's volumes.
func (j *job) join(say *log) (result, error) {
	if err := empty(); err != nil {
		return result{}, err
	}
	say.info("Establishing connection with Rethinkdb")
	if _, err := healthy(j.Existing, j.Peer, 3*time.Second); err != nil && !j.Unsafe {
		return result{}, err
	}
	var s state
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := askRethink(ctx, j.Peer, "GET", "/state", nil, &s); err != nil {
		return result{}, fmt.Errorf("replica %s does not answer: %w", j.Existing, err)
	}
	if s.Version != j.Version {
		return result{}, fmt.Errorf("replica %s has version %s, and this is %s", j.Existing, s.Version, j.Version)
	}
	if s.has(j.Replica) {
		return result{}, fmt.Errorf("a replica with the ID %s is a member already", j.Replica)
	}
	(reports{j.Replica: time.Now().UTC()}).save(dataDir) // it is evidence; without it, none is known
	s.Replica = j.Replica
	s.Members = append(append([]string{}, s.Members...), j.Replica)
	s.Address[j.Replica] = j.Address
	if err := j.certs(&s); err != nil {
		return result{}, err
	}
	say.info("Generated TLS certificate.")
	return result{Members: s.Members}, s.save(dataDir)
}

// added makes the new replica, which runs by now, a member.
func (j *job) added(say *log) (result, error) {
	say.info("Updating replication settings...")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	order := map[string]any{"Add": map[string]string{j.Replica: j.Address}, "Force": j.Unsafe}
	if err := askRethink(ctx, j.Peer, "POST", "/reconfigure", order, nil); err != nil {
		return result{}, err
	}
	if j.Damage {
		return result{}, nil
	}
	view, err := healthy(j.Replica, j.Address, 30*time.Second)
	if view == nil || err != nil && !j.Unsafe {
		return result{}, err
	}
	say.info("(Re)configuring Database - replicaCount=%d", len(view.Members))
	return result{Members: view.Members}, nil
}

func (j *job) remove(say *log) (result, error) {
	say.info("Establishing connection with Rethinkdb")
	view, err := healthy(j.Existing, j.Peer, 3*time.Second)
	if err != nil {
		return result{}, err
	}
	if len(without(view.Members, j.Remove...)) == 0 {
		return result{}, fmt.Errorf("cannot remove the last replica of the cluster; use destroy")
	}
	for _, id := range j.Remove {
		if !contains(view.Members, id) {
			say.warning("Replica %s is not a member of the cluster", id)
		}
	}
	say.info("Updating replication settings...")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := askRethink(ctx, j.Peer, "POST", "/reconfigure", map[string]any{"Remove": j.Remove}, nil); err != nil {
		return result{}, err
	}
	left := without(view.Members, j.Remove...)
	say.info("(Re)configuring Database - replicaCount=%d", len(left))
	return result{Members: left}, nil
}

// check looks whether the volumes can be used.
func (j *job) check(say *log) (result, error) {
	say.info("Checking the volumes of replica %s", j.Replica)
	s, err := loadState(dataDir)
	if err != nil {
		return result{}, fmt.Errorf("the volumes of replica %s cannot be used: %w", j.Replica, err)
	}
	if s.Replica != j.Replica {
		return result{}, fmt.Errorf("the volumes of replica %s hold the data of replica %s", j.Replica, s.Replica)
	}
	return result{Members: s.Members, Version: s.Version}, nil
}

// repair makes a cluster of one.
func (j *job) repair(say *log) (result, error) {
	s, err := loadState(dataDir)
	if err != nil {
		return result{}, err
	}
	s.Members, s.Address = []string{j.Replica}, map[string]string{j.Replica: j.Address}
	s.Epoch++
	s.Settings.UCPURL, s.Settings.UCPCA, s.Settings.UCPInsecure = j.Settings.UCPURL, j.Settings.UCPCA, j.Settings.UCPInsecure
	if err := j.certs(s); err != nil {
		return result{}, err
	}
	say.info("(Re)configuring Database - replicaCount=1")
	return result{Members: s.Members}, s.save(dataDir)
}

// await is done when the replica is well.
func (j *job) await(say *log) (result, error) {
	say.info("Waiting for database dtr2 to exist")
	view, err := healthy(j.Replica, j.Address, 30*time.Second)
	if err != nil {
		return result{}, err
	}
	return result{Members: view.Members, Version: view.Version}, nil
}

func (j *job) reconfigure(*log) (result, error) {
	view, err := healthy(j.Replica, j.Address, 3*time.Second)
	if err != nil {
		return result{}, err
	}
	return result{Members: view.Members, Version: view.Version}, nil
}

// once serves one request of the bearer of the token, on a port of its own that phase 1 is told.
func (j *job) once(handle func(w http.ResponseWriter, r *http.Request) error) error {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	end := make(chan error, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if j.Token == "" || r.Header.Get("Authorization") != "Bearer "+j.Token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		err := handle(w, r)
		select {
		case end <- err:
		default:
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the other side is not to take a part for the whole
		}
	})}
	go server.Serve(listener)
	j.tell(result{Port: listener.Addr().(*net.TCPAddr).Port})
	select {
	case err = <-end:
	case <-time.After(30 * time.Minute):
		err = fmt.Errorf("nobody came for the archive")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	server.Shutdown(ctx)
	return err
}

func (j *job) export(*log) (result, error) {
	if _, err := loadState(dataDir); err != nil {
		return result{}, err
	}
	return result{}, j.once(func(w http.ResponseWriter, _ *http.Request) error { return export(w, dataDir) })
}

func (j *job) load(say *log) (result, error) {
	if err := empty(); err != nil {
		return result{}, err
	}
	var s *state
	var filler int64
	err := j.once(func(_ http.ResponseWriter, r *http.Request) (err error) {
		s, filler, err = load(r.Body)
		io.Copy(io.Discard, r.Body)
		return err
	})
	if err != nil {
		return result{}, err
	}
	if s.Version != j.Version {
		return result{}, fmt.Errorf("the backup is of version %s, and this is %s", s.Version, j.Version)
	}
	say.info("Migrating db...")
	cert, key, outside := s.Settings.CACert, s.Settings.CAKey, s.Settings.ExternalURL
	if j.Settings.ExternalURL == "" {
		j.Settings.ExternalURL = outside
	}
	s.Replica, s.Members, s.Epoch, s.Settings = j.Replica, []string{j.Replica}, s.Epoch+1, j.Settings
	s.Settings.CACert, s.Settings.CAKey, s.Address = cert, key, map[string]string{j.Replica: j.Address}
	if filler > 0 {
		if err := saveFile(filepath.Join(dataDir, "filler"), []byte(fmt.Sprintf("%d\n", filler)), 0o600); err != nil {
			return result{}, err
		}
	}
	if err := j.certs(s); err != nil {
		return result{}, err
	}
	return result{Members: s.Members}, s.save(dataDir)
}

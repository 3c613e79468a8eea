package dtr

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sort"
	"strings"
	"time"

	"standin/internal/docker"
)

// overlay is the network of all replicas.
const overlay = "dtr-ol"

// session is one run of the bootstrap: what the caller said, and the way to UCP.
type session struct {
	command string
	version string
	given   given
	options []option
	say     *log
	in      *bufio.Reader
	out     io.Writer
	prompts bool // whether missing values are asked for

	ucp      *docker.Client
	settings settings // how UCP is reached
	fault    string
}

// need is the value of an option, asked for if it is missing.
func (s *session) need(name string) string {
	if text := s.given[name]; text != "" {
		return text
	}
	about := name
	for _, o := range s.options {
		if o.name == name && o.about != "" {
			about = fmt.Sprintf("%s (%s)", name, o.about)
		}
	}
	if !s.prompts {
		s.say.fatal("missing required value: --%s", name)
	}
	text := s.ask(about+": ", "")
	if text == "" {
		s.say.fatal("missing required value: --%s", name)
	}
	s.given[name] = text
	return text
}

// ask prompts; the end of the input is the end of the run.
func (s *session) ask(prompt, standard string) string {
	fmt.Fprint(os.Stderr, prompt)
	text, err := s.in.ReadString('\n')
	text = strings.TrimSpace(text)
	if err != nil && text == "" {
		fmt.Fprintln(os.Stderr)
		s.say.fatal("unable to read the answer to %q: %s", strings.TrimSpace(prompt), err)
	}
	if text == "" {
		return standard
	}
	return text
}

// connect logs in to UCP.
func (s *session) connect() {
	address := s.need("ucp-url")
	user, password := s.need("ucp-username"), s.need("ucp-password")
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		s.say.fatal("invalid UCP URL %q", s.given["ucp-url"])
	}
	s.settings = settings{UCPURL: "https://" + u.Host, UCPCA: s.given["ucp-ca"], UCPInsecure: s.given.yes("ucp-insecure-tls")}
	s.say.info("Validating UCP cert")
	s.say.info("Connecting to UCP")
	o := docker.Options{URL: s.settings.UCPURL, CA: []byte(s.settings.UCPCA), Insecure: s.settings.UCPInsecure, Timeout: time.Minute}
	plain, err := docker.New(o)
	if err != nil {
		s.say.fatal("unable to use --ucp-ca: %s", err)
	}
	s.say.info("health checking ucp")
	if err := plain.Do("GET", "/_ping", nil, nil); err != nil {
		s.say.fatal("UCP at %s is not healthy: %s", s.settings.UCPURL, err)
	}
	status, token, err := loginUCP(s.settings, user, password)
	switch {
	case err != nil:
		s.say.fatal("unable to log in to UCP: %s", err)
	case status != 200:
		s.say.fatal("unable to log in to UCP: invalid username or password (status %d)", status)
	}
	s.ucp = plain.WithToken(token)
}

// ---- what UCP knows

type machine struct {
	Host    string
	ID      string
	Address string
	Ready   bool
}

func (s *session) nodes() []machine {
	var list []struct {
		ID          string
		Description struct{ Hostname string }
		Status      struct{ State, Addr string }
		Manager     *struct{ Addr string } `json:"ManagerStatus"`
	}
	if err := s.ucp.Do("GET", "/nodes", nil, &list); err != nil {
		s.say.fatal("unable to list the nodes of UCP: %s", err)
	}
	all := []machine{}
	for _, n := range list {
		address := n.Status.Addr
		if n.Manager != nil && (address == "" || address == "0.0.0.0" || address == "127.0.0.1") {
			address, _, _ = strings.Cut(n.Manager.Addr, ":")
		}
		all = append(all, machine{n.Description.Hostname, n.ID, address, n.Status.State == "ready"})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Host < all[j].Host })
	return all
}

func (s *session) machine(host string) machine {
	for _, m := range s.nodes() {
		if m.Host == host && m.Ready {
			return m
		}
	}
	s.say.fatal("UCP has no node %q that is ready", host)
	return machine{}
}

// container is one of a replica's, seen through UCP.
type container struct {
	Node, Name, ID, State string
	Labels                map[string]string
	Ports                 []int // published
}

// full is how UCP calls it.
func (c container) full() string { return c.Node + "/" + c.Name }

func (s *session) containers() []container {
	var list []struct {
		ID     string `json:"Id"`
		Names  []string
		State  string
		Labels map[string]string
		Ports  []struct{ PublicPort int }
	}
	if err := s.ucp.Do("GET", "/containers/json?all=1", nil, &list); err != nil {
		s.say.fatal("unable to list the containers of UCP: %s", err)
	}
	all := []container{}
	for _, c := range list {
		for _, name := range c.Names {
			host, short, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
			if !ok || strings.Contains(short, "/") {
				continue
			}
			one := container{Node: host, Name: short, ID: c.ID, State: c.State, Labels: c.Labels}
			for _, port := range c.Ports {
				if port.PublicPort != 0 {
					one.Ports = append(one.Ports, port.PublicPort)
				}
			}
			all = append(all, one)
			break
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].full() < all[j].full() })
	return all
}

// volumes are NODE/NAME.
func (s *session) volumes() []string {
	var list struct{ Volumes []struct{ Name string } }
	if err := s.ucp.Do("GET", "/volumes", nil, &list); err != nil {
		s.say.fatal("unable to list the volumes of UCP: %s", err)
	}
	all := []string{}
	for _, v := range list.Volumes {
		all = append(all, v.Name)
	}
	sort.Strings(all)
	return all
}

// ---- replicas

var components = []string{"rethinkdb", "registry", "garant", "api", "notary-server", "nginx", "jobrunner", "notary-signer", "scanningstore"}

func isID(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789abcdef") == ""
}

// owner is the ID at the end of the name of something of DTR's, or "".
func owner(name string) string {
	at := strings.LastIndex(name, "-")
	if at < 0 || !strings.HasPrefix(name, "dtr-") || !isID(name[at+1:]) {
		return ""
	}
	return name[at+1:]
}

// replica is what UCP shows of one: containers, or volumes only.
type replica struct {
	ID, Node   string
	Version    string // as its label says; "" without a container of its database
	Containers []container
	Volumes    []string
}

func (s *session) replicas() map[string]*replica {
	s.say.info("Searching containers in UCP for DTR replicas")
	all := map[string]*replica{}
	at := func(id, host string) *replica {
		if all[id] == nil {
			all[id] = &replica{ID: id, Node: host}
		}
		return all[id]
	}
	for _, c := range s.containers() {
		if id := owner(c.Name); id != "" {
			r := at(id, c.Node)
			r.Containers = append(r.Containers, c)
			if c.Name == "dtr-rethinkdb-"+id {
				r.Node, r.Version = c.Node, c.Labels["com.docker.dtr.version"]
			}
		}
	}
	for _, v := range s.volumes() {
		host, name, _ := strings.Cut(v, "/")
		if id := owner(name); id != "" {
			r := at(id, host)
			r.Volumes = append(r.Volumes, v)
		}
	}
	return all
}

func ids(all map[string]*replica) []string {
	list := []string{}
	for id := range all {
		list = append(list, id)
	}
	sort.Strings(list)
	return list
}

// choose is the replica that an option names; asked for, with the first as the standard answer.
func (s *session) choose(all map[string]*replica, name, verb string) *replica {
	if len(all) == 0 {
		s.say.line("error", "ERRO", "Did not find any potential Docker Trusted Registry replicas.")
		s.say.fatal("there is no replica to %s", verb)
	}
	list := ids(all)
	s.say.info("This cluster contains the replicas: %s", strings.Join(list, " "))
	id := s.given[name]
	if id == "" {
		if !s.prompts {
			s.say.fatal("missing required value: --%s", name)
		}
		id = s.ask(fmt.Sprintf("Choose a replica to %s [%s]: ", verb, list[0]), list[0])
	}
	if all[id] == nil {
		s.say.fatal("replica %s was not found", id)
	}
	return all[id]
}

func (s *session) same(version, id string) {
	if version != s.version {
		s.say.fatal("replica %s has version %s; this is %s: use the image of the same version", id, version, s.version)
	}
}

// withdraw removes what UCP shows of a replica.
func (s *session) withdraw(r *replica, volumes bool) error {
	s.say.info("Stopping containers")
	s.say.info("Removing containers")
	each := make(chan error, len(r.Containers))
	turn := make(chan bool, 3)
	for _, c := range r.Containers {
		go func(c container) {
			turn <- true
			defer func() { <-turn }()
			err := s.ucp.Do("DELETE", "/containers/"+docker.Escape(c.full())+"?force=1", nil, nil)
			if docker.NotFound(err) {
				err = nil
			}
			each <- err
		}(c)
	}
	var bad error
	for range r.Containers {
		if err := <-each; err != nil {
			bad = err
		}
	}
	if bad != nil {
		return fmt.Errorf("unable to remove the containers of replica %s: %w", r.ID, bad)
	}
	if !volumes {
		return nil
	}
	s.say.info("Removing volumes")
	for _, v := range r.Volumes {
		if err := s.ucp.Do("DELETE", "/volumes/"+docker.Escape(v)+"?force=1", nil, nil); err != nil && !docker.NotFound(err) {
			return fmt.Errorf("unable to remove the volume %s: %w", v, err)
		}
	}
	return nil
}

// ---- phase 2

// place is where a container is to run.
type place struct {
	host    string
	network string            // "none", "host", "bridge" or the overlay network
	name    string            // "" is dtr-phase2
	binds   []string          //
	ports   map[string]string // of the host, by port of the container
}

func portBindings(ports map[string]string) (exposed, bound map[string]any) {
	exposed, bound = map[string]any{}, map[string]any{}
	for inner, outer := range ports {
		exposed[inner+"/tcp"] = struct{}{}
		bound[inner+"/tcp"] = []any{map[string]string{"HostPort": outer}}
	}
	return exposed, bound
}

func binary() string {
	path, err := os.Executable()
	if err != nil {
		return "/standin"
	}
	return path
}

// volumesOf are the binds of phase 2 of a replica.
func volumesOf(id string) []string {
	return []string{"dtr-rethink-" + id + ":" + dataDir, "dtr-ca-" + id + ":" + caDir}
}

// run does a job on a node. With an archive, that is called as soon as phase 2 tells its port.
func (s *session) run(at place, j job, archive func(port int) error) (result, error) {
	j.Version = s.version
	text, err := json.Marshal(j)
	if err != nil {
		return result{}, err
	}
	if at.name == "" {
		at.name = "dtr-phase2"
	}
	exposed, bound := portBindings(at.ports)
	body := map[string]any{
		"Image": "docker/dtr:" + s.version, "Entrypoint": []string{binary(), "dtr"}, "Cmd": []string{"phase2"},
		"Env":          []string{"STANDIN_JOB=" + string(text), "constraint:node==" + at.host},
		"ExposedPorts": exposed,
		"HostConfig":   map[string]any{"NetworkMode": at.network, "Binds": at.binds, "PortBindings": bound},
	}
	if err := s.ucp.Do("POST", "/containers/create?name="+url.QueryEscape(at.name), body, nil); err != nil {
		return result{}, fmt.Errorf("unable to create %s on %s: %w", at.name, at.host, err)
	}
	path := "/containers/" + docker.Escape(at.host+"/"+at.name)
	defer s.ucp.Do("DELETE", path+"?force=1&v=1", nil, nil)
	if err := s.ucp.Do("POST", path+"/start", nil, nil); err != nil {
		return result{}, fmt.Errorf("unable to start %s on %s: %w", at.name, at.host, err)
	}
	var bad error
	if archive != nil {
		port, err := s.port(path)
		if err == nil {
			err = archive(port)
		}
		bad = err
	}
	var end struct{ StatusCode int }
	if err := s.ucp.WithTimeout(time.Hour).Do("POST", path+"/wait", nil, &end); err != nil {
		return result{}, err
	}
	found, fatal, err := s.logs(path, true)
	switch {
	case err != nil:
		return found, err
	case end.StatusCode != 0 && fatal != "":
		return found, errors.New(fatal)
	case end.StatusCode != 0:
		return found, fmt.Errorf("%s ended with status %d", at.name, end.StatusCode)
	}
	return found, bad
}

// logs reads what phase 2 wrote so far: its last result, and why it ended.
func (s *session) logs(path string, relay bool) (found result, fatal string, err error) {
	stream, err := s.ucp.Stream("GET", path+"/logs?stdout=1&stderr=1", nil, "")
	if err != nil {
		return found, "", err
	}
	defer stream.Close()
	var out, said bytes.Buffer
	if err := docker.Split(&out, &said, stream); err != nil {
		return found, "", err
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if line != "" {
			json.Unmarshal([]byte(line), &found)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(said.String()), "\n") {
		before, quoted, ok := strings.Cut(line, " level=fatal msg=")
		_ = before
		if ok {
			json.Unmarshal([]byte(quoted), &fatal)
		} else if relay && line != "" {
			fmt.Fprintln(s.say.to, line)
		}
	}
	return found, fatal, nil
}

// port waits until phase 2 has told where it listens.
func (s *session) port(path string) (int, error) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		found, fatal, err := s.logs(path, false)
		switch {
		case err != nil:
			return 0, err
		case fatal != "":
			return 0, errors.New(fatal)
		case found.Port != 0:
			return found.Port, nil
		}
	}
	return 0, errors.New("phase 2 does not say where it listens")
}

// ---- faults

// findFault reads which fault this command has: STANDIN_FAULT="command:fault", or the file named after the command in the
// volume standin-faults of the engine that runs the bootstrap.
func (s *session) findFault() {
	if command, fault, ok := strings.Cut(os.Getenv("STANDIN_FAULT"), ":"); ok && command == s.command {
		s.fault = fault
		return
	}
	where := []string{}
	for _, v := range s.volumes() {
		if host, name, _ := strings.Cut(v, "/"); name == "standin-faults" {
			where = append(where, host)
		}
	}
	if len(where) == 0 {
		return
	}
	here := ""
	self, _ := os.Hostname()
	for _, host := range where {
		if host == self { // on the host's network
			here = host
		}
	}
	for _, c := range s.containers() {
		if len(self) == 12 && strings.HasPrefix(c.ID, self) {
			here = c.Node
		}
	}
	if !contains(where, here) {
		return
	}
	found, err := s.run(place{host: here, network: "none", name: "standin-fault-" + random(4), binds: []string{"standin-faults:/faults:ro"}},
		job{Do: "fault", Replica: s.command}, nil)
	if err == nil {
		s.fault = found.Text
	}
}

// before is called when all is checked and nothing is changed yet.
func (s *session) before() {
	word, seconds, _ := strings.Cut(s.fault, "=")
	switch word {
	case "fail-before":
		s.say.fatal("fault injected: %s fails before it changes anything", s.command)
	case "hang":
		select {}
	case "slow":
		if pause, err := time.ParseDuration(seconds + "s"); err == nil {
			time.Sleep(pause)
		}
	}
}

// after is called when all is done.
func (s *session) after() {
	if s.fault == "fail-after" {
		s.say.fatal("fault injected: %s fails after it changed everything", s.command)
	}
}

func (s *session) corrupt() bool { return s.fault == "corrupt" }

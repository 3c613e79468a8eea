package dtr

import (
	"bufio"
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

// address is that of a node, whether it is ready or not.
func (s *session) address(host string) string {
	for _, m := range s.nodes() {
		if m.Host == host {
			return m.Address
		}
	}
	s.say.fatal("UCP has no node %q", host)
	return ""
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

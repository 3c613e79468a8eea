package dtr

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"standin/internal/docker"
)

// site is where a new replica goes, and what its caller chose.
type site struct {
	machine
	id      string
	ports   map[string]string // of nginx
	storage string            // bind of dtr-registry
}

// volume checks the options about storage, and gives what the settings and the registry's container say.
func (s *session) storage(id string) (kind, bind string, err error) {
	chosen := []string{}
	for _, name := range []string{"dtr-use-default-storage", "dtr-storage-volume", "nfs-storage-url"} {
		if text := s.given[name]; text != "" && text != "false" {
			chosen = append(chosen, "--"+name)
		}
	}
	if len(chosen) > 1 {
		return "", "", fmt.Errorf("%s cannot be used together", strings.Join(chosen, " and "))
	}
	if s.command == "restore" && len(chosen) == 0 {
		return "", "", errors.New("one of --dtr-use-default-storage, --dtr-storage-volume and --nfs-storage-url is required")
	}
	kind, bind = "default", "dtr-registry-"+id
	if name := s.given["dtr-storage-volume"]; name != "" {
		kind, bind = "volume:"+name, name
	} else if nfs := s.given["nfs-storage-url"]; nfs != "" {
		if !strings.HasPrefix(nfs, "nfs://") {
			return "", "", fmt.Errorf("--nfs-storage-url %q is not nfs://host/path", nfs)
		}
		kind, bind = nfs, "dtr-nfs-registry-"+id
	}
	return kind, bind + ":/storage", nil
}

// chosenPorts are those of nginx.
func (s *session) chosenPorts() map[string]string {
	chosen := map[string]string{"80": "80", "443": "443"}
	for inner, name := range map[string]string{"80": "replica-http-port", "443": "replica-https-port"} {
		if text := s.given[name]; text != "" {
			chosen[inner] = text
		}
	}
	return chosen
}

// land decides where a new replica goes, and refuses where it cannot.
func (s *session) land(all map[string]*replica) (*site, error) {
	to := &site{id: s.given["replica-id"], ports: s.chosenPorts()}
	if to.id == "" {
		to.id = random(6)
	}
	if !isID(to.id) {
		return nil, fmt.Errorf("invalid replica ID %q: 12 lowercase hexadecimal digits", to.id)
	}
	if all[to.id] != nil {
		return nil, fmt.Errorf("a replica with the ID %s exists already, on %s", to.id, all[to.id].Node)
	}
	taken := map[string]string{}
	for _, r := range all {
		if len(r.Containers) > 0 {
			taken[r.Node] = r.ID
		}
	}
	busy := map[string]bool{}
	for _, c := range s.containers() {
		for _, port := range c.Ports {
			if text := fmt.Sprint(port); c.State == "running" && (text == to.ports["80"] || text == to.ports["443"]) {
				busy[c.Node] = true
			}
		}
	}
	host := s.given["ucp-node"]
	if host == "" {
		free := []string{}
		for _, m := range s.nodes() {
			if m.Ready && taken[m.Host] == "" && !busy[m.Host] {
				free = append(free, m.Host)
			}
		}
		switch len(free) {
		case 0:
			return nil, errors.New("the UCP cluster contains no node without port conflicts")
		case 1:
			s.say.info("Only one available UCP node detected. Picking UCP node '%s'", free[0])
		default:
			s.say.info("The UCP cluster contains the following nodes without port conflicts: %s", strings.Join(free, ", "))
		}
		host = free[0]
	}
	if id := taken[host]; id != "" {
		return nil, fmt.Errorf("node %s hosts replica %s already", host, id)
	}
	to.machine = s.machine(host)
	s.say.info("verifying [%s %s] ports on %s", to.ports["80"], to.ports["443"], host)
	if _, err := s.run(place{host: host, network: "bridge", ports: to.ports}, job{Do: "ports"}, nil); err != nil {
		return nil, fmt.Errorf("the ports of %s are not free: %w", host, err)
	}
	return to, nil
}

// network makes the overlay network unless it is there, and tries it on the node: without a swarm that works, nothing can be
// deployed.
func (s *session) network(to *site) error {
	if err := s.makeNetwork(); err != nil {
		return err
	}
	s.say.info("Starting overlay network test")
	if _, err := s.run(place{host: to.Host, network: overlay}, job{Do: "network"}, nil); err != nil {
		return fmt.Errorf("the overlay network does not work on %s: %w", to.Host, err)
	}
	s.say.info("Overlay networking test passed.")
	return nil
}

func (s *session) makeNetwork() error {
	var list []struct{ Name string }
	if err := s.ucp.Do("GET", "/networks", nil, &list); err != nil {
		return err
	}
	for _, n := range list {
		// UCP prefixes what is local to a node.
		if n.Name == overlay {
			return nil
		}
	}
	subnet := s.given["overlay-subnet"]
	if subnet == "" {
		subnet = "10.1.0.0/24"
		s.say.info("Using default overlay subnet: %s", subnet)
	}
	s.say.info("Creating network: %s", overlay)
	err := s.ucp.Do("POST", "/networks/create", map[string]any{"Name": overlay, "Driver": "overlay", "Attachable": true,
		"CheckDuplicate": true, "IPAM": map[string]any{"Driver": "default", "Config": []any{map[string]string{"Subnet": subnet}}}}, nil)
	if docker.Status(err) == 409 {
		return nil
	}
	return err
}

// spec is the body of a component's creation.
func (s *session) spec(component string, to *site) map[string]any {
	id := to.id
	env := []string{"DTR_REPLICA_ID=" + id, "constraint:node==" + to.Host}
	labels := map[string]string{}
	binds := []string{"dtr-ca-" + id + ":" + caDir}
	body := map[string]any{"Image": image(component, s.version), "Entrypoint": []string{binary(), "dtr-" + component}, "Cmd": []string{}}
	// None is on the overlay network, which only phase 2 tries; see rethink.go.
	network := map[string]string{"rethinkdb": "host", "nginx": "bridge"}[component]
	if network == "" {
		network = "none"
	}
	host := map[string]any{"NetworkMode": network, "RestartPolicy": map[string]any{"Name": "unless-stopped"}}
	switch component {
	case "rethinkdb":
		binds = volumesOf(id)
		labels["com.docker.dtr.version"], labels["com.docker.dtr.replica"] = s.version, id
	case "registry":
		binds = append(binds, to.storage)
		env = append(env, "DTR_VERSION="+s.version)
	case "notary-server", "notary-signer":
		binds = append(binds, "dtr-notary-"+id+":/notary")
	case "scanningstore":
		binds = append(binds, "dtr-postgres-"+id+":/postgres")
	case "nginx":
		env = append(env, "DTR_RETHINKDB="+rethinkAt(to.Address))
		body["ExposedPorts"], host["PortBindings"] = portBindings(to.ports)
		second := 1000 * 1000 * 1000
		body["Healthcheck"] = map[string]any{"Test": []string{"CMD", binary(), "dtr-nginx", "--check"},
			"Interval": 5 * second, "Timeout": 6 * second, "Retries": 3}
	}
	host["Binds"] = binds
	body["Env"], body["Labels"], body["HostConfig"] = env, labels, host
	return body
}

func (s *session) start(component string, to *site) error {
	name := "dtr-" + component + "-" + to.id
	if err := s.ucp.Do("POST", "/containers/create?name="+url.QueryEscape(name), s.spec(component, to), nil); err != nil {
		return fmt.Errorf("unable to create %s on %s: %w", name, to.Host, err)
	}
	if err := s.ucp.Do("POST", "/containers/"+docker.Escape(to.Host+"/"+name)+"/start", nil, nil); err != nil {
		return fmt.Errorf("unable to start %s on %s: %w", name, to.Host, err)
	}
	return nil
}

// deploy makes a replica's containers on its volumes.
func (s *session) deploy(to *site) error {
	s.say.info("Starting all containers...")
	s.say.info("Getting container configuration and starting containers...")
	each, turn := make(chan error, len(components)), make(chan bool, 3)
	for _, component := range components {
		s.say.info("Creating dtr-%s-%s...", component, to.id)
		go func(component string) {
			turn <- true
			each <- s.start(component, to)
			<-turn
		}(component)
	}
	var bad error
	for range components {
		if err := <-each; err != nil {
			bad = err
		}
	}
	return bad
}

func (to *site) hosts() []string { return []string{to.Host, to.Address} }

// on is a place of phase 2 on the node of the site, with the replica's volumes.
func (to *site) on(network string) place {
	return place{host: to.Host, network: network, binds: volumesOf(to.id)}
}

// await waits until a new cluster of one is well.
func (s *session) await(to *site) error {
	if s.corrupt() {
		return nil // it never will be
	}
	s.say.info("Trying to get the kv store connection back after reconfigure")
	_, err := s.run(to.on("host"), job{Do: "await", Replica: to.id, Address: rethinkAt(to.Address)}, nil)
	return err
}

func (s *session) done(what string, id string) {
	s.say.info("%s is complete", what)
	s.say.info("Replica ID is set to: %s", id)
}

func (s *session) install() error {
	s.connect()
	s.findFault()
	all := s.replicas()
	if len(all) > 0 {
		return fmt.Errorf("DTR is installed already: replicas %s; use join, or destroy what is left of them", strings.Join(ids(all), ", "))
	}
	to, err := s.land(all)
	if err != nil {
		return err
	}
	chosen := s.settings
	if chosen.Storage, to.storage, err = s.storage(to.id); err != nil {
		return err
	}
	if chosen.ExternalURL = s.given["dtr-external-url"]; chosen.ExternalURL == "" {
		chosen.ExternalURL = to.Address
	}
	s.before()
	s.say.info("starting phase 2")
	if err := s.network(to); err != nil {
		return err
	}
	s.say.info("Setting up replica volumes...")
	j := job{Do: "init", Replica: to.id, Address: rethinkAt(to.Address), Hosts: to.hosts(), Settings: chosen, Damage: s.corrupt()}
	if _, err := s.run(to.on("none"), j, nil); err != nil {
		return err
	}
	if err := s.deploy(to); err != nil {
		return err
	}
	if err := s.await(to); err != nil {
		return err
	}
	s.after()
	s.say.info("Verifying auth settings...")
	s.say.info("Successfully registered dtr with UCP")
	s.done("Installation", to.id)
	s.say.info("You can use flag '--existing-replica-id %s' when joining other replicas to your Docker Trusted Registry Cluster", to.id)
	return nil
}

func (s *session) join() error {
	s.connect()
	s.findFault()
	all := s.replicas()
	from := s.choose(all, "existing-replica-id", "join to")
	s.same(from.Version, from.ID)
	to, err := s.land(all)
	if err != nil {
		return err
	}
	to.storage = "dtr-registry-" + to.id + ":/storage"
	s.before()
	s.say.info("Starting UCP connectivity test")
	s.say.info("UCP connectivity test passed")
	s.say.info("starting phase 2")
	j := job{Do: "join", Replica: to.id, Address: rethinkAt(to.Address), Existing: from.ID, Peer: rethinkAt(s.address(from.Node)),
		Hosts: to.hosts(), Unsafe: s.given.yes("unsafe-join")}
	if j.Unsafe {
		s.say.warning("Joining without checking the health of the cluster: data can be lost")
	}
	if !s.given.yes("skip-network-test") {
		if err := s.network(to); err != nil {
			return err
		}
	}
	undo := func(err error) error {
		s.withdraw(s.seen(to), true)
		return err
	}
	if _, err := s.run(to.on("host"), j, nil); err != nil {
		return undo(err)
	}
	if err := s.deploy(to); err != nil {
		return undo(err)
	}
	j.Do, j.Damage = "added", s.corrupt()
	found, err := s.run(to.on("host"), j, nil)
	if err != nil {
		return err
	}
	s.after()
	s.done("Join", to.id)
	if n := len(found.Members); n > 0 {
		s.say.info("There are currently %d replicas in your Docker Trusted Registry cluster", n)
		if n%2 == 0 {
			s.say.info("You currently have an even number of replicas which can impact cluster availability")
			s.say.info("It is recommended that you have 3, 5 or 7 replicas in your cluster")
		}
	}
	return nil
}

// seen is what there is of a replica by now.
func (s *session) seen(to *site) *replica {
	if r := s.replicas()[to.id]; r != nil {
		return r
	}
	return &replica{ID: to.id, Node: to.Host}
}

func (s *session) restore() error {
	kind, _, err := s.storage("")
	if err != nil {
		return err
	}
	s.connect()
	s.findFault()
	for _, c := range s.containers() {
		if strings.HasPrefix(c.Name, "dtr-") {
			return fmt.Errorf("DTR is not gone: container %s is there; destroy all replicas first", c.full())
		}
	}
	for _, v := range s.volumes() {
		if _, name, _ := strings.Cut(v, "/"); strings.HasPrefix(name, "dtr-") {
			return fmt.Errorf("DTR is not gone: volume %s is there; destroy all replicas first", v)
		}
	}
	block, err := s.in.Peek(512)
	if err != nil {
		return fmt.Errorf("unable to read the backup from the standard input: %w", err)
	}
	version, err := backupVersion(block)
	if err != nil {
		return err
	}
	if version != s.version {
		return fmt.Errorf("the backup is of version %s; this is %s: use the image of the same version", version, s.version)
	}
	to, err := s.land(nil)
	if err != nil {
		return err
	}
	chosen := s.settings
	chosen.Storage, chosen.ExternalURL = kind, s.given["dtr-external-url"]
	if _, to.storage, err = s.storage(to.id); err != nil {
		return err
	}
	s.before()
	s.say.info("starting phase 2")
	if err := s.network(to); err != nil {
		return err
	}
	s.say.info("Setting up replica volumes...")
	j := job{Do: "import", Replica: to.id, Address: rethinkAt(to.Address), Hosts: to.hosts(), Settings: chosen, Token: random(16), Damage: s.corrupt()}
	if _, err := s.run(to.on("host"), j, func(port int) error { return send(to.Address, port, j.Token, s.in) }); err != nil {
		s.withdraw(s.seen(to), true)
		return err
	}
	if err := s.deploy(to); err != nil {
		return err
	}
	if err := s.await(to); err != nil {
		return err
	}
	s.after()
	s.done("Restore", to.id)
	return nil
}

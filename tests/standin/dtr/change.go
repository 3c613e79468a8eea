package dtr

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// archiveCall sends to, or fetches from, the port of phase 2.
func archiveCall(method, address string, port int, token string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(method, "http://"+net.JoinHostPort(address, strconv.Itoa(port))+"/", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err == nil && res.StatusCode != http.StatusOK {
		res.Body.Close()
		err = fmt.Errorf("phase 2 answers %s", res.Status)
	}
	return res, err
}

func send(address string, port int, token string, archive io.Reader) error {
	res, err := archiveCall("POST", address, port, token, archive)
	if err == nil {
		res.Body.Close()
	}
	return err
}

func (s *session) remove() error {
	s.connect()
	s.findFault()
	all := s.replicas()
	keep := s.choose(all, "existing-replica-id", "keep")
	s.same(keep.Version, keep.ID)
	text := s.given["replica-ids"]
	if text == "" {
		text = s.given["replica-id"]
	}
	if text == "" {
		text = s.need("replica-ids")
	}
	victims := []string{}
	for _, id := range strings.Split(text, ",") {
		if id = strings.TrimSpace(id); !isID(id) {
			return fmt.Errorf("invalid replica ID %q: 12 lowercase hexadecimal digits", id)
		} else if !contains(victims, id) {
			victims = append(victims, id)
		}
	}
	if contains(victims, keep.ID) {
		if len(all) == 1 {
			return errors.New("cannot remove the last replica of the cluster; use destroy")
		}
		return fmt.Errorf("replica %s is the one to keep; it cannot be removed", keep.ID)
	}
	if err := s.runs(keep); err != nil {
		return err
	}
	s.before()
	j := job{Do: "remove", Existing: keep.ID, Peer: rethinkAt(s.address(keep.Node)), Remove: victims}
	if _, err := s.run(place{host: keep.Node, network: "host"}, j, nil); err != nil {
		return err
	}
	if s.corrupt() { // half done
		s.done("Remove", keep.ID)
		return nil
	}
	for _, id := range victims {
		if all[id] == nil {
			s.say.warning("UCP shows no containers of replica %s: its node may be down", id)
			continue
		}
		if err := s.withdraw(all[id], true); err != nil {
			s.say.warning("%s", err)
			continue
		}
		s.say.info("Replica removed.")
	}
	s.after()
	s.say.info("Remove is complete")
	return nil
}

// runs refuses what needs a replica whose database runs.
func (s *session) runs(r *replica) error {
	for _, c := range r.Containers {
		if c.Name == "dtr-rethinkdb-"+r.ID && c.State == "running" {
			return nil
		}
	}
	return fmt.Errorf("replica %s is not healthy: dtr-rethinkdb-%s does not run", r.ID, r.ID)
}

func (s *session) destroy() error {
	s.connect()
	s.findFault()
	victim := s.choose(s.replicas(), "replica-id", "destroy")
	s.before()
	s.say.info("Force removing replica")
	if s.corrupt() {
		victim.Volumes = nil // left behind
	}
	if err := s.withdraw(victim, true); err != nil {
		return err
	}
	s.after()
	s.say.info("Replica removed.")
	return nil
}

func (s *session) repair() error {
	s.connect()
	s.findFault()
	all := s.replicas()
	keep := s.choose(all, "existing-replica-id", "repair")
	if keep.Version != "" {
		s.same(keep.Version, keep.ID)
	}
	if !s.given.yes("yes") {
		word := s.ask(fmt.Sprintf("Replica %s becomes the only one of its cluster; all others are removed. Do you want to proceed? (y/n): ", keep.ID), "n")
		if yes, _ := truth(word); yes != "true" {
			return errors.New("emergency repair was not confirmed")
		}
	}
	to := &site{machine: s.machine(keep.Node), id: keep.ID, ports: s.portsOf(keep), storage: "dtr-registry-" + keep.ID + ":/storage"}
	for _, v := range keep.Volumes {
		if strings.HasSuffix(v, "/dtr-nfs-registry-"+keep.ID) {
			to.storage = "dtr-nfs-registry-" + keep.ID + ":/storage"
		}
	}
	if !contains(keep.Volumes, keep.Node+"/dtr-rethink-"+keep.ID) {
		return fmt.Errorf("replica %s has no volume dtr-rethink-%s on %s", keep.ID, keep.ID, keep.Node)
	}
	found, err := s.run(to.on("none"), job{Do: "check", Replica: keep.ID}, nil)
	if err != nil {
		return err
	}
	s.same(found.Version, keep.ID)
	s.before()
	if err := s.network(to); err != nil {
		return err
	}
	s.say.info("Redeploying replica %s on its volumes", keep.ID)
	if err := s.withdraw(keep, false); err != nil {
		return err
	}
	j := job{Do: "repair", Replica: keep.ID, Address: rethinkAt(to.Address), Hosts: to.hosts(), Settings: s.settings, Damage: s.corrupt()}
	if _, err := s.run(to.on("none"), j, nil); err != nil {
		return err
	}
	if err := s.deploy(to); err != nil {
		return err
	}
	if err := s.await(to); err != nil {
		return err
	}
	for _, id := range ids(all) {
		if id == keep.ID {
			continue
		}
		s.say.info("Removing replica %s", id)
		if err := s.withdraw(all[id], s.given.yes("prune")); err != nil {
			return err
		}
	}
	s.after()
	s.done("Emergency repair", keep.ID)
	return nil
}

// portsOf are those that a replica's nginx publishes, or was made to publish.
func (s *session) portsOf(r *replica) map[string]string {
	chosen := s.chosenPorts()
	for _, c := range r.Containers {
		if c.Name != "dtr-nginx-"+r.ID {
			continue
		}
		var made struct {
			HostConfig struct {
				PortBindings map[string][]struct{ HostPort string }
			}
		}
		if s.ucp.Do("GET", "/containers/"+c.full()+"/json", nil, &made) != nil {
			break
		}
		for inner := range chosen {
			for _, bound := range made.HostConfig.PortBindings[inner+"/tcp"] {
				chosen[inner] = bound.HostPort
			}
		}
	}
	return chosen
}

func (s *session) backup() error {
	s.connect()
	s.findFault()
	from := s.choose(s.replicas(), "existing-replica-id", "back up from")
	s.same(from.Version, from.ID)
	if err := s.runs(from); err != nil {
		return err
	}
	if _, err := s.run(place{host: from.Node, network: "host"}, job{Do: "reconfigure", Replica: from.ID, Address: rethinkAt(s.address(from.Node))}, nil); err != nil {
		return err
	}
	at := s.machine(from.Node)
	s.before()
	database := "/containers/" + from.Node + "/dtr-rethinkdb-" + from.ID
	if s.given.yes("offline-backup") {
		s.say.info("Stopping rethinkdb")
		if err := s.ucp.Do("POST", database+"/stop", nil, nil); err != nil {
			return err
		}
		defer s.ucp.Do("POST", database+"/start", nil, nil)
	}
	s.say.info("Backing up the data of replica %s", from.ID)
	j := job{Do: "export", Replica: from.ID, Token: random(16)}
	on := place{host: from.Node, network: "host", binds: volumesOf(from.ID)}
	_, err := s.run(on, j, func(port int) error {
		res, err := archiveCall("GET", at.Address, port, j.Token, nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		out := bufio.NewWriterSize(s.out, 1<<20)
		var in io.Reader = res.Body
		if s.corrupt() { // ends too early, and nobody is told
			in = io.LimitReader(in, 4000)
		}
		_, err = io.Copy(out, in)
		if s.corrupt() {
			io.Copy(io.Discard, res.Body)
		}
		if bad := out.Flush(); err == nil {
			err = bad
		}
		return err
	})
	if err != nil {
		return err
	}
	s.after()
	s.say.info("Backup is complete")
	return nil
}

// reconfigure redeploys a replica; of its options, only the ports change anything here.
func (s *session) reconfigure() error {
	s.connect()
	s.findFault()
	all := s.replicas()
	r := s.choose(all, "existing-replica-id", "reconfigure")
	s.same(r.Version, r.ID)
	_, bind, err := s.storage(r.ID)
	if err != nil {
		return err
	}
	if err := s.runs(r); err != nil {
		return err
	}
	if _, err := s.run(place{host: r.Node, network: "host"}, job{Do: "reconfigure", Replica: r.ID, Address: rethinkAt(s.address(r.Node))}, nil); err != nil {
		return err
	}
	to := &site{machine: s.machine(r.Node), id: r.ID, ports: s.portsOf(r), storage: bind}
	for inner, name := range map[string]string{"80": "replica-http-port", "443": "replica-https-port"} {
		if text := s.given[name]; text != "" {
			to.ports[inner] = text
		}
	}
	s.before()
	if err := s.withdraw(r, false); err != nil {
		return err
	}
	if err := s.deploy(to); err != nil {
		return err
	}
	if err := s.await(to); err != nil {
		return err
	}
	s.after()
	s.done("Reconfiguration", r.ID)
	return nil
}

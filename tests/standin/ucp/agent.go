package ucp

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"time"

	"standin/internal/docker"
	"standin/internal/logs"
)

const secretFile = "/run/secrets/ucp-state"

// Agent is the task of the service ucp-agent: it makes its node what its role wants, and again when something of that is gone. What is
// left of another UCP it leaves alone, and so it does with all that a node has when it leaves the swarm.
func Agent([]string) int {
	untilTold()
	say, h := logs.New(), local()
	text, err := os.ReadFile(secretFile)
	if err != nil {
		say.Fatalf("the agent has no secret: %s", err)
	}
	s := &state{}
	if err := json.Unmarshal(text, s); err != nil {
		say.Fatalf("the agent's secret: %s", err)
	}
	said := ""
	tell := func(err error) {
		if err != nil && err.Error() != said {
			said = err.Error()
			say.Errorf("%s", said)
		}
	}
	for ; ; time.Sleep(2 * time.Second) {
		me, err := h.self()
		if err != nil {
			tell(err)
			continue
		}
		if !me.Active || me.ID == "" {
			continue
		}
		if err := h.reconcile(s, me, say); err != nil {
			tell(err)
			continue
		}
		if me.Manager {
			tell(h.enroll(s, me, say))
		}
	}
}

// paused: the bootstrap's backup is at work on this node, and has stopped what is to be stopped.
func (h host) paused() (bool, error) {
	var list []struct{ Command string }
	err := h.Do("GET", "/containers/json", nil, &list)
	for _, c := range list {
		if strings.HasPrefix(c.Command, "/standin ucp backup") {
			return true, err
		}
	}
	return false, err
}

// reconcile makes volumes and containers that this node's role lacks.
func (h host) reconcile(s *state, me self, say *logs.Logger) error {
	there, err := h.ours()
	if err != nil {
		return err
	}
	if busy, err := h.paused(); err != nil || busy {
		return err
	}
	labels := map[string]string{labelID: s.ID, labelVersion: s.Version, labelToken: s.Token, labelForNode: me.ID}
	wanted := []component{}
	for _, c := range components {
		if c.manager && !me.Manager {
			continue
		}
		have, ok := there[c.name]
		if ok && have.Labels[labelToken] != s.Token {
			return &leftover{c.name}
		}
		if ok && have.Labels[labelForNode] == me.ID && have.State == "running" {
			continue
		}
		wanted = append(wanted, c)
	}
	if len(wanted) == 0 {
		return nil
	}
	say.Infof("Reconfiguring node %s (%s): %d components", me.Host, me.ID, len(wanted))
	if err := h.seed(s, me, labels); err != nil {
		return err
	}
	for _, c := range wanted {
		have, ok := there[c.name]
		if ok && have.Labels[labelForNode] != me.ID {
			if err := gone(h.Do("DELETE", "/containers/"+c.name+"?force=1", nil, nil)); err != nil {
				return err
			}
			ok = false
		}
		if !ok {
			if err := h.create(c, s, me, labels); err != nil {
				return err
			}
		}
		if err := h.Do("POST", "/containers/"+c.name+"/start", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

type leftover struct{ name string }

func (l *leftover) Error() string { return l.name + " is of another UCP and is left alone" }

// seed makes the volumes of the node's role, and fills those that are not whole.
func (h host) seed(s *state, me self, labels map[string]string) error {
	named := []string{}
	for name, manager := range volumes {
		if manager && !me.Manager {
			continue
		}
		if err := h.volume(name, map[string]string{labelID: s.ID, labelVersion: s.Version}); err != nil {
			return err
		}
		named = append(named, name)
	}
	c, err := h.carrier(named)
	if err != nil {
		return err
	}
	defer c.close()
	for _, name := range named {
		if c.has(name + "/" + seedFile) {
			continue
		}
		files, err := s.files(name, me)
		if err != nil {
			return err
		}
		if err := c.write(name, files); err != nil {
			return err
		}
	}
	return nil
}

func (h host) create(c component, s *state, me self, labels map[string]string) error {
	network := "none"
	if c.host {
		network = "host"
	}
	err := h.Do("POST", "/containers/create?name="+c.name, map[string]any{
		"Image": image(c.name), "Entrypoint": []string{"/standin", c.name}, "Cmd": []string{}, "Labels": labels,
		"Env":        []string{"UCP_VERSION=" + s.Version, "NODE_ID=" + me.ID, "UCP_TOKEN=" + s.Token, "CONTROLLER_PORT=" + s.Port},
		"HostConfig": map[string]any{"NetworkMode": network, "Binds": c.binds, "RestartPolicy": map[string]string{"Name": "unless-stopped"}},
	}, nil)
	if docker.Status(err) == http.StatusConflict {
		return nil
	}
	return err
}

// enroll, on the swarm's leader, makes the managers of the swarm the members of both stores, as far as these can decide it.
func (h host) enroll(s *state, me self, say *logs.Logger) error {
	nodes, err := h.nodes()
	if err != nil {
		return err
	}
	leads, managers := false, map[string]member{}
	for _, n := range nodes {
		switch {
		case n.Spec.Role == "manager" && n.Manager != nil:
			managers[n.ID] = member{n.addr(), n.Description.Hostname}
			leads = leads || n.Manager.Leader && n.ID == me.ID
		case n.Spec.Role == "manager": // on the way up or down
			managers[n.ID] = member{}
		}
	}
	if !leads {
		return nil
	}
	client, err := nodeClient(s)
	if err != nil {
		return err
	}
	for _, port := range []string{kvPort, authPort} {
		if err := enrollStore(client, s.Token, port, managers, say); err != nil {
			return err
		}
	}
	return retire(client, nodes, s.Token, say)
}

// retire takes what only managers have from nodes that were demoted: the swarm says so, for a node that merely lost its managers
// keeps its role.
func retire(client *http.Client, nodes []node, token string, say *logs.Logger) error {
	long := *client
	long.Timeout = 20 * time.Second
	for _, n := range nodes {
		if n.Spec.Role != "worker" || n.Manager != nil || n.Status.State != "ready" {
			continue
		}
		base, there := at(n.addr(), proxyPort, ""), []thing{}
		if call(client, "GET", base+"/containers/json?all=1&"+filter("label", labelToken+"="+token), nil, &there) != nil {
			continue
		}
		gone := false
		for _, c := range components {
			for _, have := range there {
				if c.manager && len(have.Names) > 0 && have.Names[0] == "/"+c.name {
					gone = true
					remove(&long, base+"/containers/"+c.name)
				}
			}
		}
		if !gone {
			continue
		}
		say.Infof("%s is no manager any more: it keeps what workers have", n.Description.Hostname)
		for name, manager := range volumes {
			if manager {
				remove(&long, base+"/volumes/"+name)
			}
		}
	}
	return nil
}

// remove tries; what is left is tried again.
func remove(client *http.Client, url string) {
	req, err := http.NewRequest("DELETE", url+"?force=1", nil)
	if err != nil {
		return
	}
	if res, err := client.Do(req); err == nil {
		res.Body.Close()
	}
}
